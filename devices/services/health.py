"""What devices measure of themselves: the latest whole, the last hour and a half in few bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from devices.services import bus

# a device tells every 45 s
POINTS = 120
# so long without a word is a gap
GAP_S = 150.0
_POINT = struct.Struct("<IHHHI")
_NOTHING_16, _NOTHING_32 = 0xFFFF, 0xFFFFFFFF
# least and most of what the ring keeps; a device may say anything, and beyond it has told nothing
_RANGES = {
    "load_1min": (0.0, (_NOTHING_16 - 1) / 100),
    "mem_used_mb": (0.0, _NOTHING_16 - 1.0),
    "mem_size_mb": (1.0, _NOTHING_16 - 1.0),
    "uptime_s": (0.0, _NOTHING_32 - 1.0),
}


@dataclass(frozen=True)
class HealthPoint:
    """What a device measured at Unix time `at`; None is what it did not tell.

    `load` is the mean number of running tasks in a minute, memory is in units of 1,000,000 bytes,
    `uptime_s` in seconds since its kernel started.
    """

    at: float
    load: float | None
    memory_used_mb: int | None
    memory_size_mb: int | None
    uptime_s: int | None


@dataclass(frozen=True)
class Latest:
    """A device's newest report: all numbers it told, by the names of NervesHub's extension."""

    at: float
    metrics: dict[str, float]

    def believed(self, name: str) -> float | None:
        """One of the four numbers of a `HealthPoint`; None when it was not told or cannot be."""
        return _believed(self.metrics, name)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it is kept: whole, and as a point of the ring."""

    whole: bytes
    point: bytes


def report(at: float, metrics: Mapping[str, float]) -> Report:
    """What is kept of a report that arrived at Unix time `at`."""
    load = _believed(metrics, "load_1min")
    point = _POINT.pack(
        int(at),
        _whole(None if load is None else 100 * load, _NOTHING_16),
        _whole(_believed(metrics, "mem_used_mb"), _NOTHING_16),
        _whole(_believed(metrics, "mem_size_mb"), _NOTHING_16),
        _whole(_believed(metrics, "uptime_s"), _NOTHING_32),
    )
    return Report(json.dumps({"at": at, "metrics": metrics}).encode(), point)


def recent(serial: str) -> list[HealthPoint]:
    """The last `POINTS` reports of a device, oldest first; empty when there is none."""
    with bus.tolerant("health"):
        found = bus.client().lrange(bus.health_ring_key(serial), 0, -1)
        if isinstance(found, list):
            return [_point(packed) for packed in found if isinstance(packed, bytes)]
    return []


def latest(serial: str) -> Latest | None:
    """A device's newest report, or None when it has told nothing."""
    with bus.tolerant("health"):
        found = bus.client().hget(bus.HEALTH, serial)
        if isinstance(found, bytes):
            said = json.loads(found)
            return Latest(float(said["at"]), said["metrics"])
    return None


def _believed(metrics: Mapping[str, float], name: str) -> float | None:
    number = metrics.get(name)
    least, most = _RANGES[name]
    return number if number is not None and least <= number <= most else None


def _whole(number: float | None, nothing: int) -> int:
    """The number as a whole one; `nothing` stands for what was not told."""
    return nothing if number is None else round(number)


def _point(packed: bytes) -> HealthPoint:
    at, load, used, size, uptime = _POINT.unpack(packed)
    return HealthPoint(
        at=float(at),
        load=None if load == _NOTHING_16 else load / 100,
        memory_used_mb=None if used == _NOTHING_16 else used,
        memory_size_mb=None if size == _NOTHING_16 else size,
        uptime_s=None if uptime == _NOTHING_32 else uptime,
    )
