"""A clock that keeps its beat: late ticks are skipped, never queued."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator


class Ticks:
    """Numbers the beats of a monotonic clock, a fixed period apart."""

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._origin_s = clock()

    def until(self, wait: Callable[[float], bool]) -> Iterator[int]:
        """The number of each beat as it comes, until `wait(seconds)` returns True.

        When the caller took longer than a period, the beats it missed are left out, and the next
        one comes on the beat.
        """
        while True:
            elapsed_s = self._clock() - self._origin_s
            beat = math.floor(elapsed_s / self._period_s) + 1
            if wait(max(0.0, self._origin_s + beat * self._period_s - self._clock())):
                return
            yield beat
