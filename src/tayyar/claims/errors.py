"""What a person can mend when a claim is refused: each error has a code that a page words for itself."""

from tayyar.core.errors import UserError


class ClaimRefused(UserError):
    """`reason`: BUDGET (too many accounts asked about today), EVIDENCE (a paper is needed: the same answer for an
    unknown account), UNKNOWN (papers were given, and there is no such account), START_EARLY, START_LATE, TERMS,
    HELD (theirs already), OPEN (such a claim of theirs is under way), MOVED_ON (the supply is billed under another
    number), NOT_YOURS (not for that customer), NOT_OPEN (over, or decided), CLERK, TEXT, END, NICKNAME, FILE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
