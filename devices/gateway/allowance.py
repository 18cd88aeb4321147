"""How much one socket may say: frames of any kind, and bytes, in a window of time.

`devices.gateway.protocol` counts whole messages and ends a connection with a code. Pings and pieces
of messages never come to it, yet each costs the gateway time, and an answer or a place in memory.
"""

from __future__ import annotations

import math

WINDOW_S = 10.0
FRAMES = 300
BYTES = 1 << 20


class Allowance:
    """What is left of a socket's window; times are of a monotonic clock, in seconds."""

    __slots__ = ("_began_at_s", "_bytes", "_frames")

    def __init__(self) -> None:
        self._began_at_s = -math.inf
        self._bytes = 0
        self._frames = 0

    def received(self, size: int, now_s: float) -> None:
        """Bytes came off the network."""
        if now_s - self._began_at_s >= WINDOW_S:
            self._began_at_s, self._bytes, self._frames = now_s, 0, 0
        self._bytes += size

    def framed(self) -> None:
        """A frame began in what was received last."""
        self._frames += 1

    @property
    def exceeded(self) -> str:
        """What there was too much of, as a phrase; empty when there was not."""
        if self._frames > FRAMES:
            return f"more than {FRAMES} frames in {WINDOW_S:.0f} s"
        if self._bytes > BYTES:
            return f"more than {BYTES >> 10} KiB in {WINDOW_S:.0f} s, of bytes"
        return ""
