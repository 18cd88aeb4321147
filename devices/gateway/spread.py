"""How long devices that report are to wait before they open their socket.

Opening one costs a guest several times what its report did. One device opens it at once; of a crowd
each is told to choose a moment within a time that grows with the crowd, so that reports come first.
"""

from __future__ import annotations

from collections import deque

LATELY_S = 10.0
# so that some five sockets a second open while a crowd comes; all within the minute in which a
# device is to be heard from
EACH_MS = 200
MOST_MS = 40_000


class Spread:
    """Counts the reports of the last seconds."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def within_ms(self, now_s: float) -> int:
        """Within how many milliseconds the device that reports now is to open its socket."""
        while self._at and self._at[0] < now_s - LATELY_S:
            self._at.popleft()
        within = min(MOST_MS, EACH_MS * len(self._at))
        self._at.append(now_s)
        return within
