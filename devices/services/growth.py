"""By how much guests have grown since each was small: most of it by rebooting."""

from __future__ import annotations

from collections.abc import Mapping

# a clone grows by less than this at work, and by three times as much when it reboots
MARKED_GROWTH_KIB = 40 * 1024


class Growth:
    """By how much guests have grown in all since each was small: most of it by rebooting."""

    def __init__(self) -> None:
        self._least_kib: dict[str, int] = {}
        self._grown_kib = 0

    def bytes_after(self, pss_kib: Mapping[str, int]) -> int:
        """The growth so far in bytes, now that these are the guests' exact sizes by serial."""
        least = {serial: self._least_kib.get(serial, kib) for serial, kib in pss_kib.items()}
        for serial, kib in pss_kib.items():
            if kib > least[serial] + MARKED_GROWTH_KIB:
                self._grown_kib += kib - least[serial]
                least[serial] = kib
            least[serial] = min(kib, least[serial])
        self._least_kib = least
        return self._grown_kib * 1024
