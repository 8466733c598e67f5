"""The delivery engine: claim, word, send, settle, again and again, over all providers of a worker at once.

Owns the order of these steps, the choice among providers by weight, and the patience with one that does not answer.
It writes nothing itself (outbox.py, receipts.py do) and holds no transaction while a provider is spoken to: each
provider is sent to in a thread of its own (link.py). Run by `tayyar deliver`.
"""

import datetime as dt
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from tayyar.core.errors import UserError
from tayyar.core.pulse import portal_p95_ms
from tayyar.customers.models import Channel
from tayyar.customers.wishes import DIGITAL
from tayyar.notifications import content, health, kinds, outbox, people, receipts, rules
from tayyar.notifications.kinds import Lane, MessageKind
from tayyar.notifications.link import Event, Link, Received, Sent, Wake
from tayyar.notifications.models import Provider
from tayyar.notifications.outbox import Claim
from tayyar.notifications.pace import ProviderPace
from tayyar.notifications.ports import DeliveryKey, Gateway, Outcome, Receipt, SendResult, Unpaced
from tayyar.notifications.providers import ProviderConfig
from tayyar.notifications.services import WAKE
from tayyar.notifications.wording import worded

Result = TypeVar("Result")
log = logging.getLogger(__name__)

# One batch of each link, two of each provider, are the most that one crash can leave in doubt.
BATCH_SIZE = 500
_BATCH_SECONDS = 0.5  # of a permitted rate: a batch takes no longer, so that receipts are read in time
_RECONNECT_SECONDS = 120.0
_IDLE_SECONDS = 1.0
_LINGER_SECONDS = 2.0  # with `once`: how long after the last word of a provider more receipts may come
_RECOVER_SECONDS = 15.0
_REFRESH_SECONDS = 2.0
_EARLY_SECONDS = 2.0  # how long a receipt is held for an answer still to come
_RESTS_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)  # after a batch of which a provider took nothing
_ONCE_PATIENCE = 3  # such batches in a row, with `once`, before the command says so
NO_CONTACT, QUIET = "NO_CONTACT", "QUIET"
PORTAL_SLOW_MS = 500  # when the portal's slow pages take longer, bulk sending gives way
_NOMINAL_RATE = 10_000  # per second, what "slower" means for a provider without a limit


class GiveWay:
    """The closed loop: the share of its speed that bulk sending keeps, by how slow the portal is at present."""

    def __init__(self, p95_ms: Callable[[], int | None]) -> None:
        self.share, self._p95_ms = 1.0, p95_ms

    def look(self) -> None:
        """Halve the share while the portal is slow; double it, up to all, when it is not."""
        p95_ms = self._p95_ms()
        if p95_ms is not None and p95_ms > PORTAL_SLOW_MS:
            self.share = max(0.05, self.share / 2)
        else:
            self.share = min(1.0, self.share * 2)


class Engine:
    """One worker: its providers' links and the loop that feeds them."""

    def __init__(
        self,
        *,
        providers: Sequence[tuple[ProviderConfig, Gateway]],
        worker: str,
        clock: Callable[[], dt.datetime],
        lane: Lane | None = None,
        report: Callable[[Counter[str]], None] = lambda counts: None,
    ) -> None:
        health.enrol(config for config, _ in providers)
        self.worker, self.clock, self.report = worker, clock, report
        self.kinds = [kind for kind in kinds.kinds_of(lane) if kind in content.known_kinds()]
        self._hears_urgent = any(kinds.SPECS[kind].lane is Lane.URGENT for kind in self.kinds)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._give_way = GiveWay(lambda: portal_p95_ms(clock()))
        self._claims: dict[DeliveryKey, Claim] = {}
        self._early: list[tuple[Link, Sequence[Receipt], float]] = []
        self._paces: dict[int, list[ProviderPace]] = {}
        self._links = [self._link(config, gateway, lane) for config, gateway in providers]
        served = set(Provider.objects.values_list("channel", flat=True))
        self._unserved = {channel.value for channel in DIGITAL if channel not in served}
        self._recovered_at = self._refreshed_at = -1e9

    def run(self, *, once: bool, stopping: Callable[[], bool]) -> None:
        """Deliver until `stopping`, or with `once` until nothing is queued that a provider here could take.

        With `once`, UserError when a provider takes nothing several times running; else it waits for it to return.
        """
        for link in self._links:
            link.start()
        ears = _Ears(self._events) if self._hears_urgent and not once else None
        quiet_since = time.monotonic()
        try:
            while not stopping():
                self._look_after()
                found = self._fill()
                heard = self._hear(0.0 if found else self._patience(once))
                if found or heard or self._in_flight():
                    quiet_since = time.monotonic()
                elif once and self._is_done(quiet_since):
                    return
            while self._in_flight():  # what was begun is finished
                self._hear(1.0)
        finally:
            if ears:
                ears.stop()
            self._close()

    # -- the loop's parts

    def _look_after(self) -> None:
        """What time brings: recovery, other workers' news of the providers, the portal's pulse."""
        if time.monotonic() - self._recovered_at >= _RECOVER_SECONDS:
            _patiently(lambda: outbox.recover(now=self.clock()))
            for link in self._links:
                self._settle_early(link)
            self._recovered_at = time.monotonic()
        if time.monotonic() - self._refreshed_at >= _REFRESH_SECONDS:
            rows = _patiently(lambda: {row.number: row for row in Provider.objects.all()})
            for link in self._links:
                link.weight, link.is_paused = rows[link.number].weight, rows[link.number].is_paused
                link.given = 0
            _patiently(self._give_way.look)
            self._try_early()
            self._refreshed_at = time.monotonic()

    def _fill(self) -> bool:
        """Give the links what they have room for, the most urgent first. Whether there was anything to give.

        What waits for a channel that this installation never had a provider for goes on in its plan.
        """
        channels = {link.config.channel for link in self._links if link.has_room}
        if not channels:
            return False
        found = False
        for period, kind, channel in _patiently(
            lambda: outbox.waiting(kinds=self._awake(), channels=sorted(channels | self._unserved))
        ):
            if channel in self._unserved:
                found |= self._pass_over(period, kind, channel)
                continue
            while (link := self._choose(Channel(channel))) is not None:
                if not self._claim(period, kind, link):
                    break
                found = True
        return found

    def _pass_over(self, period: int, kind: int, channel: int) -> bool:
        passed = _patiently(
            lambda: outbox.pass_over(period=period, kind=kind, channel=channel, now=self.clock())
        )
        if passed:
            self.report(Counter({NO_CONTACT: passed}))
        return bool(passed)

    def _awake(self) -> list[MessageKind]:
        """The kinds that may be sent at this hour; the others are left alone until their quiet hours end."""
        local = self.clock().astimezone(people.local_zone())
        return people.delivery_rules().permitted(self.kinds, local)

    def _claim(self, period: int, kind: int, link: Link) -> bool:
        batch = _patiently(
            lambda: outbox.claim_batch(
                period=period,
                kind=kind,
                channel=link.config.channel,
                limit=link.batch_size,
                provider=link.number,
                now=self.clock(),
                worker=self.worker,
            )
        )
        ready, unworded = _patiently(lambda: worded(batch.claims, now=self.clock()))
        self._claims |= {claim.key: claim for claim in batch.claims}
        link.given += len(batch.claims)
        if ready:
            link.send(ready)
        if unworded:
            self._settle(unworded, 0)
        counts = Counter({NO_CONTACT: batch.without_contact, QUIET: batch.quiet})
        if batch.without_contact or batch.quiet:
            self.report(+counts)
        return bool(batch)

    def _choose(self, channel: Channel) -> Link | None:
        """The link of this channel, among those with room, that had least for its weight since the last refresh."""
        links = [
            link for link in self._links if link.config.channel == channel and link.has_room and link.weight
        ]
        return min(links, key=lambda link: link.given / link.weight, default=None)

    def _hear(self, timeout: float) -> bool:
        """Take in what the links say, waiting for a first word at most `timeout`. Whether a provider said anything."""
        try:
            event = self._events.get(timeout=timeout) if timeout else self._events.get_nowait()
        except queue.Empty:
            return False
        heard = False
        while True:
            if isinstance(event, Sent):
                self._sent(event.link, event.results)
                heard = True
            elif isinstance(event, Received):
                self._received(event.link, event)
                heard = True
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return heard

    def _sent(self, link: Link, results: Sequence[SendResult]) -> None:
        link.in_flight = False
        self._settle(results, link.config.cost_micro)
        self._try_early(link.config.code)
        failed = sum(
            result.outcome in _PROVIDER_FAILED and result.reason not in rules.RECIPIENTS_FAULT
            for result in results
        )
        counts = {"sent": len(results) - failed, "failed": failed}
        _patiently(lambda: health.tally(provider=link.number, now=self.clock(), **counts))
        if all(result.outcome is Outcome.NOT_TRIED for result in results):
            link.rests_until = time.monotonic() + _RESTS_SECONDS[min(link.failures, len(_RESTS_SECONDS) - 1)]
            link.failures += 1
            log.warning("%s takes nothing (%s); trying again", link.config.code, results[0].reason)
        else:
            link.failures = 0

    def _settle_early(self, link: Link) -> None:
        _patiently(lambda: receipts.settle_early(provider=link.config.code, now=self.clock()))

    def _received(self, link: Link, event: Received) -> None:
        self._apply(link, event.receipts, time.monotonic())

    def _apply(self, link: Link, said: Sequence[Receipt], since: float) -> None:
        """Store receipts and tell the provider so. Those that fit nothing yet most likely overtook the answer that the
        other link is about to report: they are held, unconfirmed, and after a while stored for whoever needs them."""
        code = link.config.code
        left = _patiently(lambda: receipts.apply(provider=code, receipts=said, now=self.clock()))
        if left and time.monotonic() - since > _EARLY_SECONDS:
            _patiently(lambda: receipts.keep(provider=code, receipts=left, now=self.clock()))
            left = []
        held = {id(receipt) for receipt in left}
        link.confirm([receipt for receipt in said if id(receipt) not in held])
        if left:
            self._early.append((link, left, since))

    def _try_early(self, code: str | None = None) -> None:
        """Receipts held so far, of one provider or all: try them again."""
        early, self._early = self._early, []
        for link, said, since in early:
            if code is None or link.config.code == code:
                self._apply(link, said, since)
            else:
                self._early.append((link, said, since))

    def _settle(self, results: Sequence[SendResult], cost_micro: int) -> None:
        if results:
            _patiently(
                lambda: outbox.settle(
                    results=results, claims=self._claims, now=self.clock(), cost_micro=cost_micro
                )
            )
            for result in results:
                self._claims.pop(result.key, None)
            self.report(Counter(result.outcome.value for result in results))

    # -- beginnings and ends

    def _link(self, config: ProviderConfig, gateway: Gateway, lane: Lane | None) -> Link:
        number, permitted = health.number_of(config.code), config.permitted_per_second
        share = (lambda: 1.0) if lane is Lane.URGENT else (lambda: self._give_way.share)
        pace = (
            ProviderPace(
                number=number,
                permitted_per_second=permitted,
                slowdown=share,
                is_urgent=lane is Lane.URGENT,
                siblings=self._paces.setdefault(number, []),
            )
            if permitted
            else _Yielding(share)
        )
        size = BATCH_SIZE if permitted is None else max(1, min(BATCH_SIZE, int(permitted * _BATCH_SECONDS)))
        return Link(
            config=config, number=number, gateway=gateway, pace=pace, batch_size=size, events=self._events
        )

    def _in_flight(self) -> bool:
        return any(link.in_flight for link in self._links)

    def _patience(self, once: bool) -> float:
        resting = [link.rests_until for link in self._links if link.failures]
        if resting:
            return min(max(min(resting) - time.monotonic(), 0.01), _IDLE_SECONDS)
        return 0.1 if once else _IDLE_SECONDS

    def _is_done(self, quiet_since: float) -> bool:
        """Nothing is left to send and no receipt has come for a while; UserError when a provider is away."""
        stuck = [link for link in self._links if link.failures]
        if stuck and outbox.waiting(kinds=self._awake(), channels=[link.config.channel for link in stuck]):
            if any(link.failures >= _ONCE_PATIENCE for link in stuck):
                names = ", ".join(link.config.code for link in stuck)
                raise UserError(
                    f"{names} takes no messages; everything not yet sent stays queued. Look at its entry in the "
                    "providers' file and whether it can be reached, then run the command again."
                )
            return False
        return time.monotonic() - quiet_since >= _LINGER_SECONDS

    def _close(self) -> None:
        for link in self._links:
            link.stop()
        for link in self._links:
            if link.is_alive():
                link.join()
        while self._hear(0.0):  # receipts that were read while the links closed
            pass
        for link, said, _ in self._early:
            receipts.keep(provider=link.config.code, receipts=said, now=self.clock())


_PROVIDER_FAILED = (Outcome.NOT_TRIED, Outcome.IN_DOUBT, Outcome.TRY_LATER)


class _Yielding(Unpaced):
    """No limit but the closed loop's: as fast as the provider takes it while the portal is quick."""

    def __init__(self, share: Callable[[], float]) -> None:
        self._share, self._not_before = share, 0.0

    def allowance(self, wanted: int) -> int:
        """All of it; in slices with pauses between them while sending gives way."""
        share, now = self._share(), time.monotonic()
        if share >= 1.0:
            return wanted
        if now < self._not_before:
            return 0
        slice_ = min(wanted, 50)
        self._not_before = now + slice_ / (_NOMINAL_RATE * share)
        return slice_

    def wait_seconds(self) -> float:
        """Until the next slice."""
        return max(0.0, self._not_before - time.monotonic())


class _Ears(threading.Thread):
    """Hears that an urgent message was queued, and wakes the loop. It polls anyway: losing a word costs a second."""

    def __init__(self, events: "queue.SimpleQueue[Event]") -> None:
        super().__init__(name="ears", daemon=True)
        self._events, self._stopped = events, threading.Event()
        self.start()

    def run(self) -> None:
        """Listen until stopped, through losses of the database."""
        while not self._stopped.is_set():
            try:
                with psycopg.connect(settings.DATABASE_URL, autocommit=True) as listening:
                    listening.execute(f"LISTEN {WAKE}")
                    while not self._stopped.is_set():
                        for _ in listening.notifies(timeout=0.5, stop_after=1):
                            self._events.put(Wake())
            except psycopg.Error:
                self._stopped.wait(1.0)

    def stop(self) -> None:
        """End soon; nothing waits for it."""
        self._stopped.set()


def _patiently(call: Callable[[], Result]) -> Result:
    """Call; while the database is away, call again: results of messages already sent must not be lost with it."""
    give_up_at = time.monotonic() + _RECONNECT_SECONDS
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.5)
