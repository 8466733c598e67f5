"""The ways in which a run is disturbed. Each strike says where it hits: at an exact request seen by the proxy, or at
any moment; and what it does to which process."""

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults import proxy
from tests.faults.ground import Ground, children_of, kill
from tests.faults.proxy import Request, Trap

from tayyar.core import postgres

IN_CHUNK = ("claim", "count", "copy", "done", "commit chunk")
AT_THE_END = ("index", "certify", "release", "commit")


@dataclass
class Strike:
    """One kill to come. `points` empty: at any moment. `act` gets the request, or None at any moment."""

    kind: str
    points: tuple[str, ...] = ()
    act: Callable[[Request | None], None] | None = None
    after: bool = False
    cut: str | None = None
    hit: bool = True  # False when what was aimed at had gone
    stopped: list[int] = field(default_factory=list)  # processes that the strike left stopped

    def trap(self) -> Trap:
        """As the proxy wants it."""
        return Trap(frozenset(self.points), self.act, self.after, self.cut)


def draw(ground: Ground, chance: random.Random, *, embedded: bool, late: bool, early: bool) -> Strike:
    """The next strike. `early`: the run is being planned; `late`: its chunks are done or nearly."""
    operator = ground.operators[-1]
    points = ("plan", "commit") if early else AT_THE_END if late else (chance.choice(IN_CHUNK),)
    kinds: dict[str, int] = {
        "worker": 0 if early or late else 26,
        "coordinator": 12 if early or late else 5,
        "coordinator and workers": 4,
        "server (all processes)": 12,
        "server (postmaster alone)": 6,
        "server (immediate stop)": 6,
        "one backend killed": 6,
        "one backend terminated": 8,
        "connection cut, commit unknown": 0 if embedded else 24,
        "worker stopped past its lease": 0 if early or late else 7,
    }
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    if embedded or (not late and not early and chance.random() < 0.2):
        points = ()
    after = chance.random() < 0.5
    pick = chance.random()  # drawn now, so that the order of events does not change the seed's later choices
    strike = Strike(kind, points, after=after)

    def worker_of(request: Request | None) -> int | None:
        if request and request.pid != operator.pid:
            return request.pid
        living = ground.workers()
        return living[int(pick * len(living))] if living else None

    def backend_of(request: Request | None) -> int | None:
        if request:
            return request.backend_pid
        with ground.connect() as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'tayyar bill run' ORDER BY pid"
            ).fetchall()
        return int(found[int(pick * len(found))][0]) if found else None

    def act(request: Request | None) -> None:
        if kind == "worker":
            pid = worker_of(request)
            strike.hit = pid is not None and kill(pid)
        elif kind == "coordinator":
            strike.hit = operator.poll() is None and kill(operator.pid)
        elif kind == "coordinator and workers":
            strike.hit = operator.poll() is None and kill(operator.pid)
            for pid in ground.workers():
                kill(pid)
        elif kind == "server (all processes)":
            ground.kill_server(backends=True)
        elif kind == "server (postmaster alone)":
            ground.kill_server(backends=False)
        elif kind == "server (immediate stop)":
            strike.hit = postgres.stop(immediate=True)
        elif kind in ("one backend killed", "one backend terminated"):
            pid = backend_of(request)
            if pid is None or pid not in children_of(postgres.postmaster_pid()):
                strike.hit = False
            else:
                strike.hit = kill(pid, signal.SIGKILL if kind == "one backend killed" else signal.SIGTERM)
        elif kind == "worker stopped past its lease":
            pid = worker_of(request)
            strike.hit = pid is not None and kill(pid, signal.SIGSTOP)
            strike.stopped += [pid] if pid is not None and strike.hit else []

    if kind == "connection cut, commit unknown":
        strike.cut = chance.choice((proxy.UNSENT, proxy.SENT, proxy.ANSWERED))
        wanted = {"plan", "commit", "certify", "release"} if early or late else {"commit chunk"}
        strike.points = (
            tuple(wanted) if early or late or chance.random() < 0.7 else (chance.choice(IN_CHUNK),)
        )
        strike.kind = f"connection cut {strike.cut}"
    else:
        strike.act = act
    return strike
