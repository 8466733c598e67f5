"""`python -m tests.faults.delivery --kills N --seed S`: kill delivery workers at random moments while providers, clock
and database misbehave, let the days go by, and compare the books with what the providers took. Exit 1 on a difference.
"""

import argparse
import datetime as dt
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults import delivery_books as books_
from tests.faults import delivery_controls as controls
from tests.faults.delivery_books import Books, MessageName, read_books
from tests.faults.delivery_ground import DeliveryGround
from tests.faults.delivery_peers import Peers, Witness
from tests.faults.delivery_strikes import MINUTE, Strikes

from tayyar.core.errors import UserError

KILLS_PER_ROUND = 40
PAUSE_SECONDS = (0.1, 2.5)  # between two kills
DISTURBED = 0.45  # of the kills have a disturbance before them
MOST_DAYS = 45  # runs of the command until every plan is at its end
HORIZON = dt.timedelta(hours=2)  # what comes due within this time comes due together
ENOUGH_WAITING, FED = 60, 60


@dataclass
class Round:
    """What was done in a round, what came of it, and what is wrong with it."""

    kills: Counter[str] = field(default_factory=Counter)
    disturbed: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    messages: int = 0
    states: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    counted: int = 0
    real: int = 0
    heard_by_another: int = 0
    most_in_a_second: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def main() -> int:
    """Parse, run, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.delivery", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--accounts", type=int, default=240)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    started = time.monotonic()
    print(f"delivery faults: {arguments.kills} kills, {arguments.accounts} accounts, seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the ground is cleared then, too
    ground = DeliveryGround()
    try:
        ground.prepare(accounts=arguments.accounts, seed=seed)
        bad = _campaign(ground, kills=arguments.kills, seed=seed, started=started)
    finally:
        ground.close()
    if bad:
        print(
            f"{bad} findings. Again: python -m tests.faults.delivery --kills {arguments.kills} --seed {seed}"
        )
    return 1 if bad else 0


def _campaign(ground: DeliveryGround, *, kills: int, seed: int, started: float) -> int:
    rounds: list[Round] = []
    while sum(one.kills.total() for one in rounds) < kills:
        chance = random.Random(f"delivery/{seed}/{len(rounds)}")
        wanted = min(KILLS_PER_ROUND, kills - sum(one.kills.total() for one in rounds))
        began = time.monotonic()
        with ground.open_round(chance) as peers:
            done = _round(ground, peers, chance, wanted, with_controls=not rounds)
        rounds.append(done)
        verdict = "DIFFERENT" if done.findings else "same"
        print(
            f"round {len(rounds)}: {done.kills.total()} kills ({done.in_flight} in mid flight), {done.messages} "
            f"messages, {done.attempts} attempts, possible duplicates counted {done.counted}, real {done.real}, "
            f"{time.monotonic() - began:.0f} s: {verdict}",
            f"  {_listed(done.states)}; most in a second {done.most_in_a_second}",
            *(f"  {text}" for text in done.findings),
            sep="\n",
            flush=True,
        )
    bad = sum(len(one.findings) for one in rounds)
    all_kills = sum((one.kills for one in rounds), Counter[str]())
    disturbed = sum((one.disturbed for one in rounds), Counter[str]())
    print(
        f"{all_kills.total()} kills in {len(rounds)} rounds, {sum(one.in_flight for one in rounds)} of them with "
        f"attempts under way, {time.monotonic() - started:.0f} s; {sum(one.messages for one in rounds):,} messages, "
        f"{sum(one.attempts for one in rounds):,} attempts; possible duplicates counted "
        f"{sum(one.counted for one in rounds)}, real duplicates {sum(one.real for one in rounds)}; receipts heard by "
        f"a worker that had not sent {sum(one.heard_by_another for one in rounds)}; differences {bad}.",
        _listed(all_kills),
        _listed(disturbed),
        sep="\n",
        flush=True,
    )
    return bad


def _round(
    ground: DeliveryGround, peers: Peers, chance: random.Random, wanted: int, *, with_controls: bool
) -> Round:
    """Kill `wanted` times, let the days go by, compare."""
    ground.findings.clear()
    strikes, feed = Strikes(ground, peers, chance), Feed(ground, chance)
    ground.keep_commands()
    _until_sending(ground)
    while strikes.kills.total() < wanted:
        feed.top_up()
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        if chance.random() < DISTURBED:
            strikes.disturb()
        strikes.kill()
        ground.keep_commands()
    peers.behave()
    _end_commands(ground)
    peers.name(is_limited=False)
    _let_days_go_by(ground, peers)
    with ground.connect() as connection:
        books, witness = read_books(connection, feed.asked), peers.witness()
        done = _result(ground, strikes, books, witness)
        done.findings += books_.broken(connection, set_back=strikes.set_back)
        done.findings += books_.different(books, witness)
        if (count := _product_count(books)) != done.counted:
            done.findings.append(f"the product counts {count} possible duplicates; there are {done.counted}")
        if with_controls and not done.findings:
            done.findings += controls.failures(connection, books, witness)
            print(f"{controls.KINDS} kinds of damage are noticed" if not done.findings else "", flush=True)
        states = connection.execute("SELECT state, count(*) FROM notifications_message GROUP BY state")
        done.states = Counter({_STATES[state]: count for state, count in states})
    return done


_STATES = ("QUEUED for people", "SENDING", "SENT", "DELIVERED", "READ", "FAILED", "EXPIRED", "IN_DOUBT", "DEFERRED",
           "CANCELLED", "MERGED", "PARKED")  # fmt: skip


def _result(ground: DeliveryGround, strikes: Strikes, books: Books, witness: Witness) -> Round:
    return Round(
        kills=strikes.kills,
        disturbed=strikes.disturbed,
        in_flight=strikes.in_flight,
        messages=len(books.messages),
        attempts=len(books.attempts),
        counted=books_.counted_duplicates(books).total(),
        real=books_.real_duplicates(books, witness),
        heard_by_another=witness.heard_by_another,
        most_in_a_second=witness.most_in_a_second,
        findings=[*ground.findings],
    )


def _product_count(books: Books) -> int:
    """What the console and the commands show."""
    from django.db import connection

    from tayyar.core.periods import Period
    from tayyar.notifications.kinds import MessageKind
    from tayyar.notifications.queries import possible_duplicates

    connection.close()
    batches = {message[:2] for message in books.messages}
    total = sum(
        possible_duplicates(Period.from_number(period), MessageKind(kind)) for period, kind in batches
    )
    connection.close()
    return total


class Feed:
    """Keeps something waiting to be sent: beside the bills, codes and news of requests, each with a number of its own
    by which its text is known."""

    def __init__(self, ground: DeliveryGround, chance: random.Random) -> None:
        self.ground, self.chance = ground, chance
        self.asked: dict[MessageName, str] = {}
        with ground.connect() as connection:
            rows = connection.execute("SELECT DISTINCT account_id FROM customers_contactpoint ORDER BY 1")
            self._accounts = [account for (account,) in rows]

    def top_up(self) -> None:
        """Queue more unless enough waits."""
        from django.db import connection

        connection.close()  # the server may have been restarted since
        self.ground.start_server()
        with self.ground.connect() as direct:
            row: Any = direct.execute(
                "SELECT count(*) FROM notifications_message WHERE state = 0 AND channel NOT IN (4, 5)"
            ).fetchone()
        for _ in range(FED if row[0] < ENOUGH_WAITING else 2):
            self._queue()
        connection.close()

    def _queue(self) -> None:
        from tayyar.notifications.kinds import MessageKind
        from tayyar.notifications.services import queue_message

        number = str(self.chance.randrange(10**7, 10**8))
        if self.chance.random() < 0.3:
            kind, facts = MessageKind.ONE_TIME_CODE, {"code": number, "minutes_text": "10"}
        else:
            kind = MessageKind.REQUEST_UPDATE
            facts = {"reference": number, "subject_text": "-", "update_text": "-", "complaint_text": "933"}
        ref = queue_message(
            kind=kind,
            account_id=self.chance.choice(self._accounts),
            facts=facts,
            url=f"{self.ground.site_url}/r" if kind is MessageKind.REQUEST_UPDATE else "",
            now=self.ground.now(),
        )
        assert ref is not None
        self.asked[ref] = number


def _until_sending(ground: DeliveryGround) -> None:
    """The first kills should hit workers, not interpreters that start."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with ground.connect() as connection:
            if connection.execute("SELECT 1 FROM notifications_delivery LIMIT 1").fetchone():
                return
        time.sleep(0.1)
    ground.found("nothing was sent within 30 seconds")


def _end_commands(ground: DeliveryGround) -> None:
    """Stop the commands as an operator does; each ends its round, and no worker outlives them."""
    ground.start_server()
    for process in ground.operators:
        process.terminate()
    deadline = time.monotonic() + 60
    while (left := ground.workers()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        ground.found(f"{len(left)} workers outlive their commands")
    for process in ground.operators:
        process.wait()
        ground.hear(process)
    ground.end_commands()


def _let_days_go_by(ground: DeliveryGround, peers: Peers) -> None:
    """Send what waits, move the clock to what comes due next, and so on, until nothing does."""
    for _ in range(MOST_DAYS):
        try:
            _send_what_waits()
        except UserError as error:
            ground.found(f"delivery does not end well: {error}")
        _until_told(peers)
        due = _next_due(ground)
        if due is None:
            if not any(peers.untold().values()):
                return
        elif due > ground.now():
            ground.set_clock(due + HORIZON)
    ground.found(f"plans are not at their end after {MOST_DAYS} days")


def _send_what_waits() -> None:
    """As `deliver --once` does, but without the seconds that a new process takes to begin."""
    from django.db import connection

    from tayyar.config.wiring import providers
    from tayyar.core import clock
    from tayyar.notifications.delivery import Engine

    connection.close()
    engine = Engine(providers=providers(), worker="afterwards", clock=clock.now)
    engine.run(once=True, stopping=lambda: False)
    connection.close()


def _until_told(peers: Peers) -> None:
    """Webhooks come while the command does not run; receipts over a bind and from a mailbox wait for the next run."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        untold = peers.untold()
        if not untold["sms-second"] and not untold["whatsapp"]:
            return
        time.sleep(0.1)


def _next_due(ground: DeliveryGround) -> dt.datetime | None:
    """When the next thing comes due; None when nothing will."""
    with ground.connect() as connection:
        row: Any = connection.execute(
            """SELECT least(
                 (SELECT min(next_at) FROM notifications_message WHERE channel <> 5),
                 (SELECT min(claimed_at) + interval '20 minutes' FROM notifications_delivery
                   WHERE state = 1 AND provider IS NOT NULL),
                 (SELECT min(claimed_at) + CASE WHEN min(kind) = 7 THEN interval '2 minutes' ELSE interval '1 hour' END
                    FROM notifications_delivery WHERE state = 7),
                 (SELECT %s FROM notifications_message WHERE state = 0 AND channel NOT IN (4, 5) LIMIT 1))""",
            [ground.now() - MINUTE],
        ).fetchone()
    due: dt.datetime | None = row[0]
    return due


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
