"""What protects a login changed: the person is told and the audit log knows, whichever page or app did it.

Owns the listeners to django-allauth's signals; apps.py connects them by importing this. Next: contacts.py sends.
"""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.dispatch import receiver

from tayyar.core import audit, clock
from tayyar.identity import contacts
from tayyar.identity.models import Person

_TOLD = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)


@receiver([account.password_changed, account.password_set])
def _password_changed(user: User, **more: Any) -> None:
    _note(user, "PASSWORD_CHANGED", "PASSWORD")


@receiver(mfa.authenticator_added)
def _factor_added(user: User, authenticator: Authenticator, **more: Any) -> None:
    if authenticator.type in _TOLD:
        _note(user, f"{authenticator.type.upper()}_ADDED", "LOGIN")


@receiver(mfa.authenticator_removed)
def _factor_removed(user: User, authenticator: Authenticator, **more: Any) -> None:
    if authenticator.type in _TOLD:
        _note(user, f"{authenticator.type.upper()}_REMOVED", "LOGIN")


@receiver(mfa.authenticator_reset)
def _codes_renewed(user: User, **more: Any) -> None:
    _note(user, "RECOVERY_CODES_RENEWED", "LOGIN")


def _note(user: User, action: str, what: str) -> None:
    person = (
        Person.objects.select_related("user", "customer", "mobile", "email").filter(user_id=user.pk).first()
    )
    if person is None:
        return
    now = clock.now()
    audit.record(actor=f"person:{person.pk}", action=action, subject=f"person:{person.pk}", now=now)
    contacts.tell_change(person=person, what=what, now=now)
