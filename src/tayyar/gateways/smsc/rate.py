"""How fast messages came to the local SMSC, for its throttle and for the benchmark of permitted rates."""

from collections import Counter, deque


class Rate:
    """How fast messages came: exactly, the most within any second; and by tenths of a second, for drawing."""

    def __init__(self) -> None:
        self.tenths: Counter[int] = Counter()
        self.most = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._permitted: deque[float] = deque()

    def add(self, now: float, count: int) -> None:
        """`count` messages came at `now`."""
        self.tenths[int(now * 10)] += count
        recent = self._recent
        recent.append((now, count))
        self._sum += count
        while recent[0][0] <= now - 1:
            self._sum -= recent.popleft()[1]
        self.most = max(self.most, self._sum)

    def permits(self, now: float, most: int) -> bool:
        """Whether one more within this second is no more than `most`; it is counted if so."""
        permitted = self._permitted
        while permitted and permitted[0] <= now - 1:
            permitted.popleft()
        if len(permitted) >= most:
            return False
        permitted.append(now)
        return True
