"""How often one may try: every attempt is written down before it is checked, and the next waits longer and longer.

Owns the bounds on guessing a password and on asking for a recovery code; they hold over all processes and restarts.
Attempts from a browser that the person knows are counted apart, so nobody can lock the holder out from elsewhere.
Next: sign_in.py, recovery.py.
"""

import datetime as dt

from django.db import connection, transaction

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.identity.login_models import How, SignInTry

FREE = {How.PASSWORD: 4, How.PASSKEY: 4, How.RECOVERY: 1}  # wrong ones before the first wait
FIRST_WAIT = dt.timedelta(seconds=30)  # doubles with each further one
LONGEST_WAIT = dt.timedelta(minutes=15)
REMEMBERED = dt.timedelta(hours=24)
NETWORK_WINDOW = dt.timedelta(minutes=10)
MOST_OF_A_NETWORK = 100  # wrong ones in the window; a mobile network puts many people behind one address
KEPT = dt.timedelta(days=7)
_FIELD = "identity.sign_in_try"


class SignInRefused(UserError):
    """Nothing was checked. `reason`: WAIT (`seconds`) for this person, NETWORK for everybody behind this address."""

    def __init__(self, reason: str, message: str, *, seconds: int = 0) -> None:
        super().__init__(message)
        self.reason, self.seconds = reason, seconds


def wait_after(wrong: int, how: How) -> dt.timedelta:
    """How long to wait after that many wrong attempts in a row."""
    if wrong < FREE[how]:
        return dt.timedelta(0)
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(wrong - FREE[how], 10))


@transaction.atomic
def begin(*, how: How, subject: str, browser_hash: bytes | None, network: str, now: dt.datetime) -> SignInTry:
    """Write an attempt down as wrong, before it is checked; SignInRefused when it comes too early.

    `subject` names the person ("person:7") or what was typed; `browser_hash` is given for a browser they know.
    """
    subject_hash = crypto.lookup_hash(f"{how}:{subject}", field=_FIELD)
    with connection.cursor() as cursor:  # attempts at one person stand in line: two at once count as two
        lock = int.from_bytes(subject_hash[:8], "big", signed=True)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    if seconds := _seconds_left(how, subject_hash, browser_hash, now):
        raise SignInRefused("WAIT", f"Wait {seconds} seconds before you try again.", seconds=seconds)
    if browser_hash is None and _wrong_of(network, now) >= MOST_OF_A_NETWORK:
        raise SignInRefused(
            "NETWORK",
            "Many attempts failed from your network. Try again in ten minutes.",
            seconds=int(NETWORK_WINDOW.total_seconds()),
        )
    return SignInTry.objects.create(
        at=now, how=how, subject_hash=subject_hash, device_hash=browser_hash, network=network
    )


def was_right(attempt: SignInTry) -> None:
    """The attempt succeeded: the person's next wrong one is the first again."""
    SignInTry.objects.filter(pk=attempt.pk).update(is_right=True)


def was_nothing(attempt: SignInTry) -> None:
    """The attempt could not be checked after all."""
    SignInTry.objects.filter(pk=attempt.pk).delete()


def forget(*, now: dt.datetime) -> int:
    """Delete attempts that bound nothing any more; returns how many."""
    return SignInTry.objects.filter(at__lt=now - KEPT).delete()[0]


def _seconds_left(how: How, subject_hash: bytes, browser_hash: bytes | None, now: dt.datetime) -> int:
    found = SignInTry.objects.filter(
        subject_hash=subject_hash, device_hash=browser_hash, at__gt=now - REMEMBERED
    )
    newest = list(found.order_by("-at", "-id").values_list("at", "is_right")[:20])
    wrong = next((place for place, (_, is_right) in enumerate(newest) if is_right), len(newest))
    if not wrong:
        return 0
    ready = newest[0][0] + wait_after(wrong, how)
    return max(0, -((now - ready) // dt.timedelta(seconds=1)))


def _wrong_of(network: str, now: dt.datetime) -> int:
    recent = SignInTry.objects.filter(network=network, at__gt=now - NETWORK_WINDOW, is_right=False)
    return recent.count()
