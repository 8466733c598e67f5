"""One batch over several connections at once, without threads: who goes next, on which connection, how it ended.

What is certain and what is not: until a mail's last dot left, the server has taken nothing, so a connection that
breaks before it costs nothing. After it, only the server's answer tells; without one the mail is in doubt.
"""

import selectors
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from tayyar.gateways.smtp import codes
from tayyar.gateways.smtp.dialogue import Answer, Envelope, Step
from tayyar.gateways.smtp.link import CannotConnect, Link
from tayyar.notifications.ports import Outcome, Outgoing, Pace, SendResult

# How often one mail may be the first in line when a connection breaks or is closed by a 421. Servers close idle and
# well-used connections, so one loss that left nothing in doubt is no failure; a busy server may say 421 for long.
_PATIENCE, _LOSS, _CLOSING = 6, 3, 1
_PAUSE_SECONDS = 1.0
_PAUSES = 3  # in a row, then the batch ends
_SHORTEST_WAIT_SECONDS = 0.001
_LONGEST_WAIT_SECONDS = 1.0

Prepare = Callable[[int, Outgoing], Envelope | SendResult]


class Sending:
    """The course of one batch. `links` is the gateway's: connections that live on are left in it."""

    def __init__(
        self,
        batch: Sequence[Outgoing],
        *,
        prepare: Prepare,
        connect: Callable[[], Link],
        links: list[Link],
        most_links: int,
        timeout_seconds: float,
        pace: Pace,
        stop_at: float,
    ) -> None:
        self._batch, self._prepare = batch, prepare
        self._connect, self._links, self._most_links = connect, links, most_links
        self._timeout_seconds, self._pace, self._stop_at = timeout_seconds, pace, stop_at
        self._stock_size = most_links  # composed ahead, while answers are awaited
        self._fruitless_limit = _PATIENCE // _LOSS * most_links
        self._unprepared = deque(range(len(batch)))
        self._stock: deque[Envelope] = deque()
        self._results: list[SendResult] = []
        self._losses: Counter[int] = Counter()
        self._fruitless = 0  # connections in a row that were lost before they settled a mail
        self._pauses = 0
        self._resume_at = self._paced_until = 0.0
        self._ended = ""
        self._selector = selectors.DefaultSelector()

    def run(self) -> list[SendResult]:
        """One result for each mail of the batch."""
        with self._selector:
            for link in list(self._links):
                self._selector.register(link, selectors.EVENT_READ)
            self._move(0)  # what servers said since the last batch, a farewell above all
            while True:
                self._begin()
                self._flush()
                if not any(link.dialogue.is_busy for link in self._links):
                    if self._ended or not (self._stock or self._unprepared):
                        break
                    self._move(self._wait_seconds())
                elif len(self._stock) < self._stock_size and self._unprepared and not self._ended:
                    self._move(0)
                    self._stock_one()
                else:
                    self._move(self._wait_seconds())
        return self._results

    def _begin(self) -> None:
        """Begin as many mails as connections are ready and the pace permits."""
        while not self._ended:
            now = time.monotonic()
            if now >= self._stop_at:
                self._end("OUT_OF_TIME")
                return
            if now < max(self._resume_at, self._paced_until) or not (self._stock or self._stock_one()):
                return
            link = self._ready_link()
            if link is None:
                return
            if self._pace.allowance(1) < 1:
                self._paced_until = now + max(self._pace.wait_seconds(), _SHORTEST_WAIT_SECONDS)
                return
            link.dialogue.begin(self._stock.popleft())

    def _ready_link(self) -> Link | None:
        """A connection at rest, else one that can take a mail behind another, else a new one."""
        resting = next(
            (one for one in self._links if one.dialogue.is_ready and not one.dialogue.is_busy), None
        )
        if resting is not None:
            return resting
        if len(self._links) < self._most_links:
            self._flush()  # it takes a while
            try:
                link = self._connect()
            except CannotConnect as error:
                if not self._links:
                    self._end(error.reason)
                self._most_links = len(self._links)  # the server wants no more of them
            else:
                self._links.append(link)
                self._selector.register(link, selectors.EVENT_READ)
                return link
        return next((one for one in self._links if one.dialogue.is_ready), None)

    def _stock_one(self) -> bool:
        """Compose a mail that can go; those that cannot get their result. False: none is left."""
        while self._unprepared:
            number = self._unprepared.popleft()
            prepared = self._prepare(number, self._batch[number])
            if isinstance(prepared, Envelope):
                self._stock.append(prepared)
                return True
            self._results.append(prepared)
        return False

    def _wait_seconds(self) -> float:
        """Until a connection's patience ends or a mail may begin again; so long unless something comes."""
        now = time.monotonic()
        moments = [
            link.last_moved + self._timeout_seconds for link in self._links if link.dialogue.is_busy
        ] or [now + _LONGEST_WAIT_SECONDS]
        resume_at = max(self._resume_at, self._paced_until)
        if now < resume_at and not self._ended:
            moments.append(min(resume_at, self._stop_at))
        return max(0.0, min(moments) - now)

    def _move(self, seconds: float) -> None:
        """Wait so long at most for connections that can be read or written, and do that."""
        if self._selector.get_map():
            events = self._selector.select(seconds)
        else:
            events = []
            time.sleep(seconds)
        for selected, mask in events:
            link = selected.fileobj
            assert isinstance(link, Link)
            if mask & selectors.EVENT_READ:
                for answer in link.receive():
                    self._settle(answer)
        overdue = time.monotonic() - self._timeout_seconds
        for link in list(self._links):
            if link.dialogue.is_busy and link.last_moved <= overdue:
                link.dialogue.ended = "CONNECTION_LOST"
            if link.dialogue.ended:
                self._lose(link)

    def _flush(self) -> None:
        """Write what there is, a content and the next mail's commands at once; when a rest must wait, hear of it when
        it can go on."""
        for link in self._links:
            if link.dialogue.out:
                link.flush()
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.dialogue.out else 0)
                if self._selector.get_key(link).events != wanted:
                    self._selector.modify(link, wanted)

    def _settle(self, answer: Answer) -> None:
        mail, code = answer.mail, answer.code
        if code // 100 == 2:
            self._pauses = self._fruitless = 0
            self._add(mail.number, Outcome.SENT, "", codes.queue_name(answer.text))
            return
        reason, numbers = codes.meaning(code, answer.text)
        if answer.step is Step.MAIL or (answer.step is Step.RCPT and reason == "SENDER_REFUSED"):
            self._stock.appendleft(mail)  # the server speaks of us, not of this recipient
            if code // 100 == 5:
                self._end("SENDER_REFUSED")
            else:
                self._pause()
            if self._ended:
                self._give_back()
            return
        self._pauses = self._fruitless = 0
        self._add(mail.number, codes.outcome(code, reason), reason, numbers)

    def _pause(self) -> None:
        """The server says "not now"; connections that hear it at the same moment count once."""
        if time.monotonic() < self._resume_at:
            return
        self._pauses += 1
        self._resume_at = time.monotonic() + _PAUSE_SECONDS
        if self._pauses > _PAUSES:
            self._end("THROTTLED")

    def _lose(self, link: Link) -> None:
        """Let go of a connection that is gone, and of its mails what was certain."""
        self._selector.unregister(link)
        self._links.remove(link)
        link.drop()
        left, was_told = link.dialogue.leftover(), link.dialogue.ended == "THROTTLED"
        for mail, in_doubt in reversed(left):
            if in_doubt:
                self._add(mail.number, Outcome.IN_DOUBT, "CONNECTION_LOST")
                continue
            if mail is left[0][0]:  # only the first in line can have been the cause
                self._losses[mail.number] += _CLOSING if was_told else _LOSS
            if self._losses[mail.number] >= _PATIENCE:
                self._add(mail.number, Outcome.TRY_LATER, "CONNECTION_LOST")
            else:
                self._stock.appendleft(mail)
        if left and not link.dialogue.settled:
            self._take_in_fruitless(was_told)
        if self._ended:
            self._give_back()

    def _take_in_fruitless(self, was_told: bool) -> None:
        """A new connection settled nothing: the server is busy, or not well."""
        if was_told:
            self._pause()
            return
        self._fruitless += 1
        if self._fruitless >= self._fruitless_limit:
            self._end("SERVER_UNREACHABLE")

    def _end(self, reason: str) -> None:
        """Begin no more mails; the rest goes back as if it had never been claimed."""
        self._ended = self._ended or reason
        self._give_back()

    def _give_back(self) -> None:
        for number in [mail.number for mail in self._stock] + list(self._unprepared):
            self._add(number, Outcome.NOT_TRIED, self._ended)
        self._stock.clear()
        self._unprepared.clear()

    def _add(self, number: int, outcome: Outcome, reason: str, provider_ref: str = "") -> None:
        self._results.append(SendResult(self._batch[number].key, outcome, reason, provider_ref))


def without_idle(links: Iterable[Link], *, idle_seconds: float) -> list[Link]:
    """The connections that stay, when those that moved nothing so long were ended before the server does it."""
    stay = []
    for link in links:
        if time.monotonic() - link.last_moved > idle_seconds:
            link.quit()
        else:
            stay.append(link)
    return stay
