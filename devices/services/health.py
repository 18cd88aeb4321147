"""What devices measure of themselves: the latest whole, the last hour and a half in few bytes."""

from __future__ import annotations

import json
import math
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


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it is kept: whole, and as a point of the ring."""

    whole: bytes
    point: bytes


def report(at: float, metrics: Mapping[str, float]) -> Report:
    """What is kept of a report that arrived at Unix time `at`."""
    load = metrics.get("load_1min")
    point = _POINT.pack(
        int(at),
        _whole(None if load is None else 100 * load, _NOTHING_16),
        _whole(metrics.get("mem_used_mb"), _NOTHING_16),
        _whole(metrics.get("mem_size_mb"), _NOTHING_16),
        _whole(metrics.get("uptime_s"), _NOTHING_32),
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


def _whole(number: float | None, nothing: int) -> int:
    """The number as a whole one below `nothing`, which stands for what was not told."""
    if number is None or not math.isfinite(number):
        return nothing
    return max(0, min(nothing - 1, round(number)))


def _point(packed: bytes) -> HealthPoint:
    at, load, used, size, uptime = _POINT.unpack(packed)
    return HealthPoint(
        at=float(at),
        load=None if load == _NOTHING_16 else load / 100,
        memory_used_mb=None if used == _NOTHING_16 else used,
        memory_size_mb=None if size == _NOTHING_16 else size,
        uptime_s=None if uptime == _NOTHING_32 else uptime,
    )
