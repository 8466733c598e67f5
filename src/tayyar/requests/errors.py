"""What a person can mend when a request is refused: each error has a code that a page words for itself."""

from tayyar.core.errors import UserError


class RequestRefused(UserError):
    """`reason`: TOO_MANY, NOT_YOURS, ENDED, OTHER_FORM, DOCUMENTS, DOCUMENT_KIND, DOCUMENT_MISSING, TEXT, GONE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FormRefused(UserError):
    """`errors`: the reason of each field that cannot be taken: MISSING, LENGTH, DATE, NUMBER, CHOICE, YES_NO, UNKNOWN;
    a type's handler may add reasons of its own."""

    def __init__(self, errors: dict[str, str]) -> None:
        fields = ", ".join(f"{name} ({reason})" for name, reason in sorted(errors.items()))
        super().__init__(f"The form cannot be taken yet. Look at: {fields}.")
        self.errors = errors
