"""What must hold after a round of delivery under faults: of the books alone, as SQL that finds what breaks it, and
between the books and what the providers really took. Written from the issue's words; no code of the product in it."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from tests.faults.delivery_ground import is_nobody, place_of
from tests.faults.delivery_peers import PERMITTED, SmsTaken, Witness

Connection = psycopg.Connection[Any]
MessageName = tuple[int, int, int, int]  # period, kind, ref, recipient

CHANNELS = ("EMAIL", "SMS", "WHATSAPP", "PUSH", "PAPER", "CALL")
SENT, DELIVERED, READ, FAILED, EXPIRED = 2, 3, 4, 5, 6
PROVEN = (DELIVERED, READ)
MAY_HAVE_ARRIVED = (1, SENT, DELIVERED, READ, EXPIRED, 7)
# A worker has two batches of each provider under way, each what the provider permits in half a second.
WINDOW = {provider: 2 * (rate // 2) for provider, rate in PERMITTED.items()}

# A worker that waits for the processor between its permission and the socket sends a slice late, in somebody else's
# second. The peers over HTTP are processes of their own that wait for it, too, and then read what lay there at once.
LATE = {"sms-first": 2, "sms-second": 6, "whatsapp": 10}

# Each query returns no row when all is well; its rows go into the message.
RULES = {
    "a message for each bill, and no other": """
        SELECT COALESCE(b.number, m.ref), b.account_id, m.account_id
        FROM (SELECT * FROM billing_bill WHERE period = 202610) b
        FULL JOIN (SELECT * FROM notifications_message WHERE period = 202610 AND kind = 1) m
             ON m.ref = b.number AND m.account_id = b.account_id
        WHERE b.number IS NULL OR m.ref IS NULL""",
    "every message is at its end, or waits for people": """
        SELECT kind, ref, state, channel, next_at FROM notifications_message
        WHERE NOT (state IN (2, 3, 4, 5, 6, 11) AND next_at IS NULL OR state = 0 AND channel IN (4, 5))""",
    "no attempt is left under way or in doubt": """
        SELECT kind, ref, channel, attempt, state, reason FROM notifications_delivery
        WHERE state IN (0, 1, 7) AND provider IS NOT NULL""",
    "a message is parked only after six attempts": """
        SELECT m.kind, m.ref FROM notifications_message m WHERE m.state = 11
        AND 6 > (SELECT count(*) FROM notifications_delivery d WHERE d.period = m.period AND d.kind = m.kind
                 AND d.ref = m.ref AND d.recipient = m.recipient AND d.channel = m.channel)""",
    "a message ends as the best of its attempts did": """
        SELECT m.kind, m.ref, m.state, d.best FROM notifications_message m
        LEFT JOIN (SELECT period, kind, ref, recipient,
                          max(CASE WHEN state IN (3, 4) THEN state WHEN state IN (2, 6) THEN 2 ELSE 0 END) AS best
                   FROM notifications_delivery GROUP BY period, kind, ref, recipient) d
             USING (period, kind, ref, recipient)
        WHERE m.state IN (3, 4) AND d.best IS DISTINCT FROM m.state
           OR m.state IN (0, 2, 6, 11) AND d.best > 2
           OR m.state IN (2, 6) AND d.best IS DISTINCT FROM 2
           OR m.state = 5 AND d.best > 0""",
    "a bill is reached when an attempt was delivered, and only then": """
        SELECT COALESCE(r.ref, d.ref), r.how, d.ref FROM notifications_reach r
        FULL JOIN (SELECT DISTINCT period, ref FROM notifications_delivery WHERE kind IN (1, 2) AND state IN (3, 4)) d
             USING (period, ref)
        WHERE r.ref IS NULL OR d.ref IS NULL""",
    "attempts are numbered from 1 without a gap": """
        SELECT kind, ref, channel, count(*), max(attempt) FROM notifications_delivery
        GROUP BY period, kind, ref, recipient, channel HAVING min(attempt) <> 1 OR max(attempt) <> count(*)""",
    "what may have arrived is sent again only when its doubt has lasted too long": """
        SELECT d.kind, d.ref, d.channel, d.attempt, d.claimed_at - e.claimed_at FROM notifications_delivery d
        JOIN notifications_delivery e ON (e.period, e.kind, e.ref, e.recipient, e.channel)
             = (d.period, d.kind, d.ref, d.recipient, d.channel) AND e.attempt < d.attempt AND e.state IN (2, 3, 4, 6)
        WHERE d.claimed_at - e.claimed_at + %(set_back)s
              < CASE WHEN d.kind = 7 THEN interval '2 minutes' ELSE interval '1 hour' END""",
    "an attempt that failed says why": """
        SELECT kind, ref, channel, attempt FROM notifications_delivery
        WHERE state = 5 AND reason = '' AND provider IS NOT NULL""",
    "weights stay within their bounds": """
        SELECT code, weight FROM notifications_provider WHERE weight NOT BETWEEN 1 AND most_weight""",
}


@dataclass(frozen=True)
class Attempt:
    """A row of the delivery table; `place` is the account's, 1, 2, ..."""

    provider: str
    message: MessageName
    channel: str
    number: int
    state: int
    reason: str
    provider_ref: str
    worker: str
    place: int

    @property
    def key(self) -> str:
        """As the providers echo it."""
        return ".".join(map(str, (*self.message, CHANNELS.index(self.channel), self.number)))


@dataclass(frozen=True)
class Books:
    """What is stored, and `asked`: the messages that were queued, each with the words by which its text is known
    ("" for a bill: the only one of its account without such words)."""

    attempts: list[Attempt]
    messages: dict[MessageName, int]  # -> place
    marked: list[tuple[int, str]]  # place, channel
    asked: dict[MessageName, str]
    kept: set[str]  # the providers' names in receipts that fitted no attempt

    def message_of(self, text: SmsTaken) -> MessageName | None:
        """Which message a text is."""
        place = place_of(text.destination)
        mine = [message for message, its_place in self.messages.items() if its_place == place]
        for message in mine:
            said = self.asked.get(message, "")
            if said and re.search(rf"(?<!\d){said}(?!\d)", text.text):
                return message
        return next((message for message in mine if message not in self.asked), None)


def read_books(connection: Connection, asked: dict[MessageName, str]) -> Books:
    """All of it."""
    places = {
        account: place
        for place, (account,) in enumerate(
            connection.execute("SELECT id FROM customers_customeraccount ORDER BY id"), 1
        )
    }
    attempts = [
        Attempt(code, (period, kind, ref, recipient), CHANNELS[channel], number, *rest, places[account])
        for code, period, kind, ref, recipient, channel, number, *rest, account in connection.execute(
            """SELECT p.code, d.period, d.kind, d.ref, d.recipient, d.channel, d.attempt, d.state, d.reason,
                      d.provider_ref, d.worker, d.account_id
               FROM notifications_delivery d JOIN notifications_provider p ON p.number = d.provider"""
        )
    ]
    messages = {
        (period, kind, ref, recipient): places[account]
        for period, kind, ref, recipient, account in connection.execute(
            "SELECT period, kind, ref, recipient, account_id FROM notifications_message"
        )
    }
    marked = [
        (places[account], CHANNELS[channel])
        for account, channel in connection.execute(
            "SELECT account_id, channel FROM customers_contactpoint WHERE mark <> '' OR NOT is_active"
        )
    ]
    kept = {name for (name,) in connection.execute("SELECT provider_ref FROM notifications_earlyreceipt")}
    return Books(attempts, messages, marked, asked, kept)


def received(books: Books, witness: Witness) -> Counter[tuple[MessageName, str]]:
    """How often each message was taken, by channel."""
    found: Counter[tuple[MessageName, str]] = Counter()
    for text in witness.texts:
        if (message := books.message_of(text)) is not None:
            found[message, "SMS"] += 1
    for _, key in witness.attempts:
        period, kind, ref, recipient, channel, _ = map(int, key.split("."))
        found[(period, kind, ref, recipient), CHANNELS[channel]] += 1
    return found


def real_duplicates(books: Books, witness: Witness) -> int:
    """Messages more than the first that a living address got through one channel."""
    return sum(
        count - 1
        for (message, channel), count in received(books, witness).items()
        if count > 1 and not is_nobody(books.messages.get(message, 0), channel)
    )


def counted_duplicates(books: Books) -> Counter[tuple[MessageName, str]]:
    """Attempts that may have arrived, beside the first that may have, by message and channel."""
    may = Counter((a.message, a.channel) for a in books.attempts if a.state in MAY_HAVE_ARRIVED)
    return Counter({name: count - 1 for name, count in may.items() if count > 1})


# -- between the books and the providers


def _sent_was_taken(books: Books, witness: Witness) -> list[str]:
    taken = set(witness.attempts)
    texts = _texts_by_message(books, witness)
    sent = [a for a in books.attempts if a.state in (SENT, DELIVERED, READ)]
    by_smsc = Counter(a.message for a in sent if a.provider == "sms-first")
    found = [f"{a}" for a in sent if a.provider != "sms-first" and (a.provider, a.key) not in taken]
    return found + [f"{m}: {count} sent" for m, count in by_smsc.items() if count > texts[m]]


def _taken_is_known(books: Books, witness: Witness) -> list[str]:
    known = {
        (a.provider, a.key)
        for a in books.attempts
        if a.state in MAY_HAVE_ARRIVED or is_nobody(a.place, a.channel)
    }
    found = [f"{provider} took {key}" for provider, key in witness.attempts if (provider, key) not in known]
    return found + [f"{text}" for text in witness.texts if books.message_of(text) is None]


def _taken_once(books: Books, witness: Witness) -> list[str]:
    twice = [f"{name} {count} times" for name, count in Counter(witness.attempts).items() if count > 1]
    may = Counter(
        a.message
        for a in books.attempts
        if a.provider == "sms-first" and (a.state in MAY_HAVE_ARRIVED or is_nobody(a.place, a.channel))
    )
    texts = _texts_by_message(books, witness)
    return twice + [f"{m}: {n} texts, {may[m]} attempts" for m, n in texts.items() if n > may[m]]


def _duplicates_are_counted(books: Books, witness: Witness) -> list[str]:
    counted = counted_duplicates(books)
    return [
        f"{message} {channel}: received {count} times, {counted[message, channel]} counted"
        for (message, channel), count in received(books, witness).items()
        if not is_nobody(books.messages.get(message, 0), channel) and count - 1 > counted[message, channel]
    ]


def _receipts_are_stored(books: Books, witness: Witness) -> list[str]:
    receipts = {text.number: text.receipt for text in witness.texts}
    found = [
        f"{a}: the SMSC told {receipts[number]}"
        for a in books.attempts
        if a.provider == "sms-first"
        and (number := _number(a.provider_ref, receipts)) in receipts
        and receipts[number] is not None
        and (receipts[number] == "000") != (a.state in PROVEN)
    ]
    named = {_number(name, receipts) for name in (*(a.provider_ref for a in books.attempts), *books.kept)}
    proven = {a.message for a in books.attempts if a.state in PROVEN}
    found += [
        f"{text} is nowhere"
        for text in witness.texts
        if text.receipt == "000" and text.number not in named and books.message_of(text) not in proven
    ]
    states = {(a.provider, a.key): a for a in books.attempts}
    for provider, key in witness.attempts:
        attempt = states.get((provider, key))
        if provider in ("sms-second", "whatsapp") and provider not in witness.silent and attempt:
            is_gone = is_nobody(attempt.place, attempt.channel)
            if attempt.state not in ((FAILED,) if is_gone else PROVEN):
                found.append(f"{attempt}: the provider told how it ended")
    return found


def _proofs_are_true(books: Books, witness: Witness) -> list[str]:
    texts = {text.number: text for text in witness.texts}
    taken, found = set(witness.attempts), []
    for a in books.attempts:
        if a.state not in PROVEN:
            continue
        if a.provider == "sms-first":
            text = texts.get(_number(a.provider_ref, texts))
            if text is None or text.receipt != "000" or books.message_of(text) != a.message:
                found.append(f"{a}: {text}")
        elif (a.provider, a.key) not in taken or is_nobody(a.place, a.channel) or a.channel == "EMAIL":
            found.append(f"{a}")
    return found


def _marks_are_right(books: Books, witness: Witness) -> list[str]:
    found = [
        f"{place} {channel} is marked" for place, channel in books.marked if not is_nobody(place, channel)
    ]
    told = {
        (a.place, a.channel)
        for a in books.attempts
        if is_nobody(a.place, a.channel) and a.state == FAILED
        and a.reason in ("NO_SUCH_NUMBER", "NO_SUCH_MAILBOX", "NOT_ON_WHATSAPP")
    }  # fmt: skip
    return found + [f"{place} {channel} is not marked" for place, channel in told - set(books.marked)]


def _rates_are_kept(books: Books, witness: Witness) -> list[str]:
    return [
        f"{provider}: {most} in a second, {PERMITTED[provider]} permitted"
        for provider, most in witness.most_in_a_second.items()
        if most > PERMITTED[provider] + LATE[provider]
    ]


def _nothing_is_lost(books: Books, witness: Witness) -> list[str]:
    return [f"{message} is gone" for message in books.asked if message not in books.messages]


def _one_message_id(books: Books, witness: Witness) -> list[str]:
    names: dict[str, set[str]] = {}
    messages: dict[str, set[str]] = {}
    for key, name in witness.message_ids:
        message = key.rpartition(".")[0]
        names.setdefault(message, set()).add(name)
        messages.setdefault(name, set()).add(message)
    return [f"{one}: {many}" for one, many in [*names.items(), *messages.items()] if len(many) > 1]


def _all_is_told(books: Books, witness: Witness) -> list[str]:
    return [f"{provider}: {count} receipts" for provider, count in witness.untold.items() if count]


def _doubt_is_bounded(books: Books, witness: Witness) -> list[str]:
    lost = Counter((a.worker, a.provider) for a in books.attempts if a.reason == "WORKER_LOST")
    return [f"{name}: {count} in doubt" for name, count in lost.items() if count > WINDOW[name[1]]]


COMPARISONS: dict[str, Callable[[Books, Witness], list[str]]] = {
    "what the books call sent, the provider took": _sent_was_taken,
    "what a provider took, the books know": _taken_is_known,
    "each attempt was handed over once at most": _taken_once,
    "real duplicates are among those counted as possible": _duplicates_are_counted,
    "every receipt is in the books": _receipts_are_stored,
    "every proof in the books is true": _proofs_are_true,
    "contact points are marked as the providers said": _marks_are_right,
    "no provider was sent to faster than it permits": _rates_are_kept,
    "no message that was queued is gone": _nothing_is_lost,
    "all attempts at a mail carry one Message-ID, and no two messages the same": _one_message_id,
    "no receipt is left unread": _all_is_told,
    "a crash leaves two batches of a provider in doubt at most": _doubt_is_bounded,
}


def broken(connection: Connection, *, set_back: dt.timedelta) -> list[str]:
    """The rules of the books that do not hold, each with up to three rows that break it. `set_back`: by how much the
    clock was, in all."""
    found = []
    for rule, query in RULES.items():
        rows = connection.execute(query, {"set_back": set_back}).fetchall()  # type: ignore[arg-type]
        if rows:
            found.append(f"{rule}: broken in {len(rows)} rows, such as {rows[:3]}")
    return found


def different(books: Books, witness: Witness) -> list[str]:
    """Where books and providers do not agree."""
    found = []
    for rule, compare in COMPARISONS.items():
        if problems := compare(books, witness):
            found.append(f"{rule}: broken {len(problems)} times, such as {'; '.join(problems[:3])}")
    return found


def _texts_by_message(books: Books, witness: Witness) -> Counter[MessageName]:
    return Counter(m for text in witness.texts if (m := books.message_of(text)) is not None)


def _number(reference: str, known: dict[int, Any]) -> int:
    """An identifier of the SMSC, spelled in decimal or hexadecimal; 0 for none."""
    if reference.isdigit() and int(reference) in known:
        return int(reference)
    return int(reference, 16) if re.fullmatch(r"[0-9A-F]+", reference) else 0
