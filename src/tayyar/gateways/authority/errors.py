"""What an adapter says when a person is not proven: one text for each reason, so that none tells more than another."""

from tayyar.identity.ports import AuthorityError

_TEXTS = {
    "DOWN": "The identity authority does not answer now. Try again in some minutes, or go to a service centre.",
    "MISMATCH": "The number and the birth date do not belong together. Look at your document and type them again.",
    "REJECTED": "The request was refused at the identity authority. Begin again if that was not meant.",
    "EXPIRED": "The time to confirm is over. Begin again.",
    "NOT_COVERED": "This document cannot be confirmed here. A service centre can do it.",
}


def refusal(reason: str) -> AuthorityError:
    """The error to raise; `reason` as in identity/ports.py."""
    return AuthorityError(reason, _TEXTS[reason])
