"""What all guests of a host have for themselves, although only some are measured at a time."""

from __future__ import annotations

from collections.abc import Sequence

from devices.services import bus

KIB = 1024


def guests_bytes(host_name: str) -> int:
    """Memory of a host's guests, what they share counted once; 0 while nothing is known."""
    rows = bus.guests_sample(host_name)
    if not rows:
        return sum(bus.pss(host_name).values()) * KIB
    return estimate_kib(rows) * KIB


def estimate_kib(rows: Sequence[Sequence[int | None]]) -> int:
    """The sum of PSS over rows of slot, CPU, RSS and PSS in KiB, of which PSS may be null.

    A guest that was not measured yet is taken to have as much as the mean of those that were, and
    never more than is resident.
    """
    uses = [(row[2], row[3]) for row in rows if len(row) > 3]
    measured = [pss for _, pss in uses if pss is not None]
    mean = sum(measured) / len(measured) if measured else None
    total = float(sum(measured))
    for rss, pss in uses:
        if pss is None and rss is not None:
            total += rss if mean is None else min(rss, mean)
    return round(total)
