"""What is wrong with a new password, in the reader's words. Owns no rule: settings name the validators."""

from collections.abc import Mapping

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

LEAST = 12  # as settings.AUTH_PASSWORD_VALIDATORS asks


def password_problem(password: str, words: Mapping[str, str]) -> str:
    """ "" for a password that will do; else what to change."""
    try:
        validate_password(password)
    except ValidationError as refused:
        codes = [error.code for error in refused.error_list]
        return words["password_short" if "password_too_short" in codes else "password_common"]
    return ""
