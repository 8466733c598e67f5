"""Negative controls of the delivery checks: each rule is shown to fail when what it guards is damaged. The books are
damaged in a transaction that is rolled back, what the providers know in a copy."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
from tests.faults import delivery_books as books_
from tests.faults.delivery_books import EXPIRED, FAILED, PROVEN, SENT, Attempt, Books
from tests.faults.delivery_ground import is_nobody
from tests.faults.delivery_peers import Witness

_ONE = """(period, kind, ref, recipient) = (SELECT period, kind, ref, recipient FROM notifications_message
           WHERE state = {state} ORDER BY kind, ref LIMIT 1)"""

# What is damaged -> (SQL, the rule that must notice).
DAMAGE = {
    "a message that is missing": (
        "DELETE FROM notifications_message WHERE kind = 1 AND ref = (SELECT min(ref) FROM notifications_message"
        " WHERE kind = 1)",
        "a message for each bill, and no other",
    ),
    "a message that still waits": (
        f"UPDATE notifications_message SET state = 8, next_at = now() WHERE {_ONE.format(state=3)}",
        "every message is at its end, or waits for people",
    ),
    "an attempt that nobody settled": (
        "UPDATE notifications_delivery SET state = 7, settled_at = NULL WHERE (period, kind, ref, channel, attempt) ="
        " (SELECT period, kind, ref, channel, attempt FROM notifications_delivery"
        " WHERE state = 2 AND provider IS NOT NULL LIMIT 1)",
        "no attempt is left under way or in doubt",
    ),
    "a message parked at once": (
        f"UPDATE notifications_message SET state = 11 WHERE {_ONE.format(state=3)}",
        "a message is parked only after six attempts",
    ),
    "a delivered message that is called failed": (
        f"UPDATE notifications_message SET state = 5 WHERE {_ONE.format(state=3)}",
        "a message ends as the best of its attempts did",
    ),
    "a proof that is missing": (
        "DELETE FROM notifications_reach WHERE ref = (SELECT min(ref) FROM notifications_reach)",
        "a bill is reached when an attempt was delivered, and only then",
    ),
    "first attempts that are missing": (
        "UPDATE notifications_delivery SET attempt = attempt + 7 WHERE attempt = 1 AND channel = 1",
        "attempts are numbered from 1 without a gap",
    ),
    "a second message at once": (
        "INSERT INTO notifications_delivery (period, kind, ref, recipient, channel, attempt, state, account_id,"
        " contact_point_id, provider, worker, claimed_at, settled_at)"
        " SELECT period, kind, ref, recipient, channel, attempt + 7, state, account_id, contact_point_id, provider,"
        " worker, claimed_at, settled_at FROM notifications_delivery WHERE state = 2 AND provider IS NOT NULL LIMIT 1",
        "what may have arrived is sent again only when its doubt has lasted too long",
    ),
    "a reason that is missing": (
        "UPDATE notifications_delivery SET reason = '' WHERE state = 5",
        "an attempt that failed says why",
    ),
    "a weight beyond the file's": (
        "UPDATE notifications_provider SET weight = most_weight + 1",
        "weights stay within their bounds",
    ),
}

Damaged = tuple[Books, Witness]


def _first(books: Books, wanted: Callable[[Attempt], bool]) -> Attempt:
    return next(attempt for attempt in books.attempts if wanted(attempt))


def _other_state(books: Books, attempt: Attempt, **changes: Any) -> Books:
    return replace(books, attempts=[replace(a, **changes) if a == attempt else a for a in books.attempts])


def _by_smsc(attempt: Attempt) -> bool:
    return attempt.provider == "sms-first" and not is_nobody(attempt.place, "SMS")


def _never_taken(books: Books, witness: Witness) -> Damaged:
    mail = _first(books, lambda a: a.provider == "mail" and a.state == SENT)
    return books, replace(witness, attempts=[one for one in witness.attempts if one != ("mail", mail.key)])


def _text_never_taken(books: Books, witness: Witness) -> Damaged:
    message = _first(books, lambda a: _by_smsc(a) and a.state in PROVEN).message
    return books, replace(witness, texts=[t for t in witness.texts if books.message_of(t) != message])


def _told_untold(books: Books, witness: Witness) -> Damaged:
    attempt = _first(books, lambda a: a.provider == "whatsapp" and a.state in PROVEN)
    return replace(books, attempts=[a for a in books.attempts if a != attempt]), witness


def _handed_over_twice(books: Books, witness: Witness) -> Damaged:
    return books, replace(witness, attempts=[*witness.attempts, witness.attempts[0]])


def _text_twice(books: Books, witness: Witness) -> Damaged:
    attempt = _first(books, lambda a: _by_smsc(a) and a.state in PROVEN)
    text = next(t for t in witness.texts if books.message_of(t) == attempt.message)
    return books, replace(witness, texts=[*witness.texts, *[replace(text, number=0)] * 7])


def _receipt_not_stored(books: Books, witness: Witness) -> Damaged:
    return _other_state(
        books, _first(books, lambda a: _by_smsc(a) and a.state in PROVEN), state=SENT
    ), witness


def _receipt_forgotten(books: Books, witness: Witness) -> Damaged:
    attempt = _first(books, lambda a: _by_smsc(a) and a.state in PROVEN)
    return _other_state(books, attempt, state=EXPIRED, provider_ref=""), witness


def _false_proof(books: Books, witness: Witness) -> Damaged:
    return _other_state(books, _first(books, lambda a: a.provider == "mail"), state=3), witness


def _another_text(books: Books, witness: Witness) -> Damaged:
    """The receipt of one message is held to be another's."""
    one = _first(books, lambda a: _by_smsc(a) and a.state in PROVEN and bool(a.provider_ref))
    other = _first(books, lambda a: _by_smsc(a) and a.state in PROVEN and a.message != one.message)
    return _other_state(books, one, provider_ref=other.provider_ref), witness


# What is damaged -> (how, the rule that must notice).
DISAGREEMENTS: dict[str, tuple[Callable[[Books, Witness], Damaged], str]] = {
    "a mail that never came": (_never_taken, "what the books call sent, the provider took"),
    "a text that never came": (_text_never_taken, "what the books call sent, the provider took"),
    "a message sent untold": (_told_untold, "what a provider took, the books know"),
    "an attempt handed over twice": (_handed_over_twice, "each attempt was handed over once at most"),
    "a text sent seven times more": (_text_twice, "each attempt was handed over once at most"),
    "a duplicate that nobody counted": (_text_twice, "real duplicates are among those counted as possible"),
    "a receipt that was lost": (_receipt_not_stored, "every receipt is in the books"),
    "a receipt that was forgotten": (_receipt_forgotten, "every receipt is in the books"),
    "a proof without a receipt": (_false_proof, "every proof in the books is true"),
    "a proof by another's receipt": (_another_text, "every proof in the books is true"),
    "a good number that is marked": (
        lambda books, witness: (replace(books, marked=[*books.marked, (1, "SMS")]), witness),
        "contact points are marked as the providers said",
    ),
    "a bad number that is not": (
        lambda books, witness: (replace(books, marked=[]), witness),
        "contact points are marked as the providers said",
    ),
    "a provider that was pressed": (
        lambda books, witness: (books, replace(witness, most_in_a_second={"sms-first": 1_000})),
        "no provider was sent to faster than it permits",
    ),
    "a code that is gone": (
        lambda books, witness: (replace(books, asked={**books.asked, (202612, 7, 10**9, 0): "1"}), witness),
        "no message that was queued is gone",
    ),
    "a mail with a name of its own": (
        lambda books, witness: (
            books,
            replace(witness, message_ids=[*witness.message_ids, (witness.message_ids[0][0], "<another>")]),
        ),
        "all attempts at a mail carry one Message-ID, and no two messages the same",
    ),
    "a receipt that nobody heard": (
        lambda books, witness: (books, replace(witness, untold={"sms-first": 1})),
        "no receipt is left unread",
    ),
    "a crash that took more with it": (
        lambda books, witness: (
            replace(
                books,
                attempts=[replace(a, worker="w", reason="WORKER_LOST") for a in books.attempts],
            ),
            witness,
        ),
        "a crash leaves two batches of a provider in doubt at most",
    ),
}
KINDS = len(DAMAGE) + len(DISAGREEMENTS)


def failures(connection: psycopg.Connection[Any], books: Books, witness: Witness) -> list[str]:
    """Rules that did not notice the damage they guard against."""
    found = []
    if set(books_.RULES) != {rule for _, rule in DAMAGE.values()}:
        found.append("a rule of the books has no control")
    if set(books_.COMPARISONS) != {rule for _, rule in DISAGREEMENTS.values()}:
        found.append("a comparison has no control")
    for what, (statement, rule) in DAMAGE.items():
        with connection.transaction(force_rollback=True):
            if not connection.execute(statement).rowcount:  # type: ignore[arg-type]
                found.append(f"the control damaged nothing: {what}")
            elif not any(
                text.startswith(rule) for text in books_.broken(connection, set_back=dt.timedelta(0))
            ):
                found.append(f"{what} was not noticed by: {rule}")
    for what, (damage, rule) in DISAGREEMENTS.items():
        if not books_.COMPARISONS[rule](*damage(books, witness)):
            found.append(f"{what} was not noticed by: {rule}")
    unused = FAILED not in {attempt.state for attempt in books.attempts}
    return [*found, "no attempt failed: the round was too quiet"] if unused else found
