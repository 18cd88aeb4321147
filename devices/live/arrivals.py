"""When devices came online, second by second. No input or output."""

from __future__ import annotations

from collections import deque

RATE_S = 10  # the rate is that of the last seconds
SHOWN_S = 60


class Arrivals:
    """Counts arrivals in each whole second of a clock that never goes back."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # [second, count], ascending

    def note(self, now_s: float) -> None:
        """A device has come online now."""
        second = int(now_s)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([second, 1])

    def each_s(self, now_s: float, seconds: int = SHOWN_S) -> list[int]:
        """How many came in each of the last whole seconds, oldest first; not the one that runs."""
        last = int(now_s)
        while self._seconds and self._seconds[0][0] < last - SHOWN_S:
            self._seconds.popleft()
        counts = [0] * seconds
        for second, count in self._seconds:
            place = second - (last - seconds)
            if 0 <= place < seconds:
                counts[place] = count
        return counts

    def per_s(self, now_s: float) -> float:
        """Devices a second over the last ten whole seconds."""
        return sum(self.each_s(now_s, RATE_S)) / RATE_S
