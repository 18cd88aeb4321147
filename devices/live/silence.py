"""Which hosts have fallen silent. No input or output."""

from __future__ import annotations


class Silence:
    """Notices hosts that have said nothing for `after_s` seconds of a clock that never goes back.

    A host that was never heard is not missed.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._heard: dict[str, float] = {}

    def heard(self, host: str, now_s: float) -> None:
        """The host has just spoken."""
        self._heard[host] = now_s

    def fallen(self, now_s: float) -> list[str]:
        """The hosts that have fallen silent since this was last asked."""
        silent = [h for h, at in self._heard.items() if now_s - at >= self._after_s]
        for host in silent:
            del self._heard[host]
        return silent
