"""Since when rounds have come without a break: what nobody listened to is nobody's silence."""

from __future__ import annotations


class Unbroken:
    """Rounds that come every few seconds, told apart from those before a break.

    A break is more than `gap_s` seconds between two rounds by the wall clock, which goes on while
    the machine sleeps; or that the clock was set back by as much; or that somebody says so.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._rounds: tuple[float, float] | None = None  # the first and the last since a break

    def since(self, now: float) -> float:
        """Count a round at Unix time `now`; gives the time of the first since the last break."""
        first = now
        if self._rounds is not None and abs(now - self._rounds[1]) <= self._gap_s:
            first = min(self._rounds[0], now)
        self._rounds = first, now
        return first

    def broken(self) -> None:
        """The next round is the first after a break."""
        self._rounds = None
