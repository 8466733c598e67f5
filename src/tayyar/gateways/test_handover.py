"""A batch over HTTP: paced in units, never more at once than allowed, slowed and ended as the provider's state asks."""

import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from tayyar.gateways.handover import Job, Verdict, hand_over
from tayyar.gateways.http import Answer, Lost, Request
from tayyar.notifications.ports import DeliveryKey, Outcome, SendResult, Unpaced

End = Answer | Lost
OK, FAST, LOCKED = Answer(200, b""), Answer(429, b"", 0.01), Answer(403, b"")


class FakeConnections:
    """Ends each request as told by its number, at once; remembers how many went together."""

    def __init__(self, end: Callable[[int], End]) -> None:
        self._end = end
        self.groups: list[list[int]] = []

    def submit(self, requests: Iterable[tuple[Job, Request]], done: "SimpleQueue[tuple[Job, End]]") -> None:
        group = [(job, job.key.ref) for job, _ in requests]
        if group:
            self.groups.append([number for _, number in group])
        for job, number in group:
            done.put((job, self._end(number)))


class SlowPace:
    """Grants a few units each time, as told."""

    def __init__(self, *grants: int) -> None:
        self._grants = list(grants)
        self.granted = 0

    def allowance(self, wanted: int) -> int:
        granted = min(wanted, self._grants.pop(0) if self._grants else 0)
        self.granted += granted
        return granted

    def wait_seconds(self) -> float:
        return 0.001


def _judge(answer: Answer) -> Verdict:
    if answer.status == 429:
        return Verdict(Outcome.TRY_LATER, "THROTTLED", is_throttled=True)
    if answer.status == 403:
        return Verdict(Outcome.NOT_TRIED, "ACCOUNT_LOCKED")
    return Verdict(Outcome.SENT, provider_ref="r")


def _jobs(*units: int) -> list[Job]:
    return [
        Job(DeliveryKey(202611, 1, number, 0, 1, 1), Request("POST", "http://x"), size)
        for number, size in enumerate(units)
    ]


def _run(
    connections: FakeConnections, jobs: list[Job], *, pace=None, concurrency: int = 4, seconds: float = 5.0
) -> dict[int, SendResult]:
    stop_at = time.monotonic() + seconds
    results = hand_over(
        jobs,
        connections=connections,  # type: ignore[arg-type]
        judge=_judge,
        concurrency=concurrency,
        pace=pace or Unpaced(),
        stop_at=stop_at,
    )
    assert len(results) == len(jobs)
    return {result.key.ref: result for result in results}


def _outcomes(results: dict[int, SendResult]) -> list[tuple[str, str]]:
    return [(results[number].outcome, results[number].reason) for number in sorted(results)]


def test_no_more_go_at_once_than_allowed():
    connections = FakeConnections(lambda number: OK)
    results = _run(connections, _jobs(*[1] * 10), concurrency=4)
    assert {result.outcome for result in results.values()} == {Outcome.SENT}
    assert max(map(len, connections.groups)) == 4


def test_the_pace_counts_units_and_a_long_message_waits_until_its_units_are_granted():
    # 1 + 3 + 1 units; granted 2, 1, 0, 1, 1: the first goes alone, the second after 3 more, the third after 1 more
    pace = SlowPace(2, 1, 0, 1, 1)
    connections = FakeConnections(lambda number: OK)
    results = _run(connections, _jobs(1, 3, 1), pace=pace)
    assert connections.groups == [[0], [1], [2]]
    assert pace.granted == 5
    assert [results[number].segments for number in range(3)] == [1, 3, 1]


def test_a_pace_that_has_no_more_is_not_asked_again_before_its_time():
    pace = SlowPace(1, 1, 1)
    pace.wait_seconds = lambda: 0.05  # type: ignore[method-assign]
    started = time.monotonic()
    _run(FakeConnections(lambda number: OK), _jobs(1, 1, 1), pace=pace)
    assert time.monotonic() - started >= 0.1


def test_nothing_begins_after_stop_at():
    results = _run(FakeConnections(lambda number: OK), _jobs(1, 1), pace=SlowPace(1), seconds=0.05)
    assert _outcomes(results) == [("SENT", ""), ("NOT_TRIED", "OUT_OF_TIME")]


def test_too_fast_is_waited_out_and_the_message_goes_again():
    ends = {0: [OK, FAST]}
    connections = FakeConnections(lambda number: ends[number].pop())
    results = _run(connections, _jobs(1))
    assert _outcomes(results) == [("SENT", "")]
    assert connections.groups == [[0], [0]]


def test_after_too_fast_half_as_many_go_at_once():
    answered: set[int] = set()

    def end(number: int) -> End:
        first_time = number not in answered
        answered.add(number)
        return FAST if first_time and number < 4 else OK

    connections = FakeConnections(end)
    _run(connections, _jobs(*[1] * 8), concurrency=4)
    assert len(connections.groups[0]) == 4
    assert len(connections.groups[1]) == 2


def test_a_pause_that_outlasts_the_time_left_gives_up_at_once():
    started = time.monotonic()
    results = _run(
        FakeConnections(lambda number: Answer(429, b"", 60.0)), _jobs(1, 1), concurrency=1, seconds=30
    )
    assert _outcomes(results) == [("NOT_TRIED", "THROTTLED")] * 2
    assert time.monotonic() - started < 5


def test_a_locked_account_ends_the_batch_as_if_nothing_had_been_tried():
    connections = FakeConnections(lambda number: OK if number == 0 else LOCKED)
    results = _run(connections, _jobs(1, 1, 1), concurrency=1)
    assert _outcomes(results) == [
        ("SENT", ""),
        ("NOT_TRIED", "ACCOUNT_LOCKED"),
        ("NOT_TRIED", "ACCOUNT_LOCKED"),
    ]
    assert connections.groups == [[0], [1]]


def test_a_server_that_cannot_be_reached_leaves_the_rest_untried():
    connections = FakeConnections(lambda number: Lost.NOT_SENT)
    assert (
        _outcomes(_run(connections, _jobs(1, 1), concurrency=1)) == [("NOT_TRIED", "SERVER_UNREACHABLE")] * 2
    )
    assert connections.groups == [[0]]


def test_one_silence_is_one_doubt_and_three_in_a_row_end_the_batch():
    silent = {1, 3, 4, 5}
    connections = FakeConnections(lambda number: Lost.NO_ANSWER if number in silent else OK)
    results = _run(connections, _jobs(*[1] * 8), concurrency=1)
    doubt = ("IN_DOUBT", "NO_ANSWER")
    assert _outcomes(results) == [
        ("SENT", ""),
        doubt,
        ("SENT", ""),
        doubt,
        doubt,
        doubt,
        ("NOT_TRIED", "SERVER_SILENT"),
        ("NOT_TRIED", "SERVER_SILENT"),
    ]
