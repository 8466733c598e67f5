"""Handing a batch over HTTP: paced, so many at once, slower when told so, ended when the provider is not well.

It knows no provider: a gateway brings requests and a judge of answers. It writes nothing and repeats only what the
provider said it did not take. Next: the SendResults go back to notifications/delivery.py.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple

from tayyar.gateways.http import Answer, Connections, Lost, Request
from tayyar.notifications.ports import DeliveryKey, Outcome, Pace, SendResult

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_SHORTEST_WAIT_SECONDS = 0.001
_SILENCES = 3  # that many requests in a row without an answer, and nothing more is risked


class Job(NamedTuple):
    """One message ready to go. `units`: what the provider counts against its permitted rate."""

    key: DeliveryKey
    request: Request
    units: int = 1


class Verdict(NamedTuple):
    """What an answer means for its message. NOT_TRIED is the provider's or our configuration's fault and ends the
    batch; `is_throttled` means "too fast": nothing was taken, the message waits and goes again."""

    outcome: Outcome
    reason: str = ""
    provider_ref: str = ""
    is_throttled: bool = False


Judge = Callable[[Answer], Verdict]


def hand_over(
    jobs: Sequence[Job],
    *,
    connections: Connections,
    judge: Judge,
    concurrency: int,
    pace: Pace,
    stop_at: float,
) -> list[SendResult]:
    """One result for each job, in order of settlement; at most `concurrency` under way, none begun after `stop_at`.

    `pace` is asked in the caller's thread, as it may hold a database connection.
    """
    return _Course(jobs, connections, judge, concurrency, pace, stop_at).run()


class _Course:
    """The course of one batch: what waits, what is under way, and how fast it may go."""

    def __init__(
        self,
        jobs: Sequence[Job],
        connections: Connections,
        judge: Judge,
        concurrency: int,
        pace: Pace,
        stop_at: float,
    ) -> None:
        self._connections, self._judge, self._pace = connections, judge, pace
        self._concurrency, self._stop_at = concurrency, stop_at
        self._waiting = deque(jobs)
        self._settled: SimpleQueue[tuple[Job, Answer | Lost]] = SimpleQueue()
        self._results: list[SendResult] = []
        self._under_way = 0
        self._credit = 0  # units granted and not yet used: a message may need more than is granted at once
        self._window = concurrency
        self._pause_seconds, self._resume_at = _FIRST_PAUSE_SECONDS, 0.0
        self._ask_at = 0.0  # the pace had no more to give: not asked again before
        self._silences = 0
        self._ended = ""

    def run(self) -> list[SendResult]:
        while self._waiting or self._under_way:
            wait_seconds = self._begin() if self._waiting else None
            if self._under_way:
                self._settle(wait_seconds)
            elif wait_seconds:
                time.sleep(wait_seconds)
        return self._results

    def _begin(self) -> float | None:
        """Hand over what may go now. Returns after how many seconds to look again; None: when an answer comes."""
        now = time.monotonic()
        if self._resume_at >= self._stop_at:
            self._ended = self._ended or "THROTTLED"
        elif now >= self._stop_at:
            self._ended = self._ended or "OUT_OF_TIME"
        if self._ended:
            self._give_up()
            return None
        if now < self._resume_at:
            return self._resume_at - now
        if self._under_way >= self._window:
            return None
        if now < self._ask_at:
            return min(self._ask_at, self._stop_at) - now
        going = self._granted(self._window - self._under_way)
        self._connections.submit([(job, job.request) for job in going], self._settled)
        self._under_way += len(going)
        if not self._waiting or self._under_way >= self._window:
            return None
        wait_seconds = max(self._pace.wait_seconds(), _SHORTEST_WAIT_SECONDS)
        self._ask_at = time.monotonic() + wait_seconds
        return min(wait_seconds, self._stop_at - now)

    def _granted(self, room: int) -> list[Job]:
        """The next jobs, at most `room`, that the pace permits."""
        wanted = sum(self._waiting[index].units for index in range(min(room, len(self._waiting))))
        if wanted > self._credit:
            self._credit += self._pace.allowance(wanted - self._credit)
        going: list[Job] = []
        while self._waiting and len(going) < room and self._waiting[0].units <= self._credit:
            job = self._waiting.popleft()
            self._credit -= job.units
            going.append(job)
        return going

    def _settle(self, wait_seconds: float | None) -> None:
        """Take in every end that came; wait for the first one, so long."""
        try:
            self._take_in(*self._settled.get(timeout=wait_seconds))
            while True:
                self._take_in(*self._settled.get_nowait())
        except Empty:
            return

    def _take_in(self, job: Job, end: Answer | Lost) -> None:
        self._under_way -= 1
        if isinstance(end, Lost):
            self._take_in_loss(job, end)
            return
        self._silences = 0
        verdict = self._judge(end)
        if verdict.is_throttled:
            self._slow_down(job, end)
            return
        if verdict.outcome is Outcome.NOT_TRIED:
            self._ended = verdict.reason
        else:
            self._window = min(self._concurrency, self._window + 1)
            self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._add(job, verdict.outcome, verdict.reason, verdict.provider_ref)

    def _take_in_loss(self, job: Job, loss: Lost) -> None:
        if loss is Lost.NOT_SENT:
            self._ended = "SERVER_UNREACHABLE"
            self._add(job, Outcome.NOT_TRIED, self._ended)
            return
        self._silences += 1
        if self._silences >= _SILENCES:
            self._ended = "SERVER_SILENT"
        self._add(job, Outcome.IN_DOUBT, "NO_ANSWER")

    def _slow_down(self, job: Job, answer: Answer) -> None:
        """Wait as long as the server asked, else longer from time to time, and then go with half as many at once.
        The answers of those that were under way at the same moment count once."""
        self._waiting.appendleft(job)
        now = time.monotonic()
        if now < self._resume_at:
            return
        self._resume_at = now + (answer.retry_after_seconds or self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._window = max(1, self._window // 2)

    def _give_up(self) -> None:
        for job in self._waiting:
            self._add(job, Outcome.NOT_TRIED, self._ended)
        self._waiting.clear()

    def _add(self, job: Job, outcome: Outcome, reason: str, provider_ref: str = "") -> None:
        self._results.append(SendResult(job.key, outcome, reason, provider_ref, job.units))
