"""What the page says of how many devices can be added, of each architecture."""

from __future__ import annotations

from typing import Any

from devices.live import words
from devices.services import architectures, capacity, pace

# so many at once are asked about, with the time that they would take
ASKED_ABOUT = (100, 1000)


def sorts() -> list[dict[str, Any]]:
    """How many fit, why not more and how long they take: of what can be added, the usual first."""
    names = architectures.with_firmware() or [architectures.DEFAULT]
    return [_sort(name, word=name if len(names) > 1 else "") for name in names]


def _sort(architecture: str, word: str) -> dict[str, Any]:
    fleet = capacity.fleet_capacity(architecture=architecture)
    courses = pace.courses(architecture)
    took = [(count, pace.estimate_s(count, courses)) for count in ASKED_ABOUT]
    return {
        "architecture": architecture,
        "word": word,
        "devices_text": f"{fleet.devices:,}",
        "fits": fleet.fits,
        "fits_text": f"{fleet.fits:,}",
        "percent": round(100 * fleet.devices / fleet.most, 1) if fleet.most else 0,
        "most_text": f"{fleet.most:,}",
        "cost": words.size(fleet.device_cost_bytes),
        "cost_source": fleet.cost_source,
        "free": words.size(fleet.free_bytes),
        "reserve": words.size(fleet.reserve_bytes),
        "waiting": fleet.waiting,
        "takes": [(count, f"{seconds:.1f}") for count, seconds in took if seconds is not None],
    }
