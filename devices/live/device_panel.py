"""How one device is now, as plain values for its panel; what it said last, and its guest's use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from devices.live import words
from devices.models import Device, Event
from devices.services import bus, health
from devices.services.health import HealthPoint
from devices.states import WITH_PROCESS

CHART_WIDTH, CHART_HEIGHT = 240.0, 48.0
MB = 1_000_000


def now(serial: str) -> dict[str, Any]:
    """What the panel of a device says; of an unknown serial, that nothing is known."""
    device = (
        Device.objects.filter(serial=serial).select_related("host")
        .only("serial", "slot", "state", "host__name").first()
    )
    if device is None:
        return {"serial": serial, "news": "", "running": False}
    latest = health.latest(serial)
    points = health.recent(serial)
    load, used, size, uptime_s = (
        latest.believed(name) if latest else None
        for name in ("load_1min", "mem_used_mb", "mem_size_mb", "uptime_s")
    )
    return {
        "serial": serial,
        "news": _news(device),
        "running": device.state in WITH_PROCESS,
        "state": device.state,
        "heard_at": _heard_at(serial),
        "told_at": _time(latest.at) if latest else None,
        "load": _number(load),
        "memory": words.size(None if used is None else used * MB),
        "memory_size": words.size(None if size is None else size * MB),
        "memory_percent": round(100 * used / size) if used is not None and size else None,
        "up_since": _time(latest.at - uptime_s) if latest and uptime_s is not None else None,
        "guest": _guest(device),
        "load_chart": chart([(p.at, p.load) for p in points], _number),
        "memory_chart": chart(_memory(points), lambda mb: words.size((mb or 0) * MB)),
    }


def _memory(points: Sequence[HealthPoint]) -> list[tuple[float, float | None]]:
    return [(p.at, None if p.memory_used_mb is None else float(p.memory_used_mb)) for p in points]


def _news(device: Device) -> str:
    """Something that changes whenever anything was written about the device."""
    newest = Event.objects.filter(device=device).order_by("-id").values_list("id", flat=True)
    return f"{device.state}-{newest.first() or 0}"


def _heard_at(serial: str) -> datetime | None:
    try:
        at = bus.last_heard([serial]).get(serial)
    except redis.RedisError:
        return None
    return None if at is None else _time(at)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _guest(device: Device) -> dict[str, str] | None:
    """What the guest's process uses of its host; None while nothing was measured."""
    if device.slot is None or device.state not in WITH_PROCESS:
        return None
    row = next((r for r in bus.guests_sample(device.host.name) if r[0] == device.slot), None)
    if row is None or len(row) < 4:
        return None
    _, permille, rss_kib, pss_kib = row
    return {
        "cpu": "–" if permille is None else f"{permille / 10:.1f} % of a core",
        "resident": words.size(None if rss_kib is None else rss_kib * 1024),
        "own": words.size(pss_kib * 1024) if pss_kib is not None else "not measured yet",
    }


def chart(points: Sequence[tuple[float, float | None]], say: Any) -> dict[str, Any] | None:
    """Values over time as lines in a box of 240 by 48; None for fewer than two values.

    `points` are Unix times with values, oldest first; `say` puts a value into words. Where a device
    said nothing for longer than it should, the line is broken.
    """
    told = [(at, value) for at, value in points if value is not None]
    if len(told) < 2:
        return None
    first, last = told[0][0], told[-1][0]
    values = [value for _, value in told]
    top = max(max(values) * 1.15, 0.01)
    span = max(last - first, 1.0)
    lines: list[list[str]] = []
    before = None
    for at, value in told:
        if before is None or at - before > health.GAP_S:
            lines.append([])
        x = CHART_WIDTH * (at - first) / span
        y = CHART_HEIGHT * (1 - value / top)
        lines[-1].append(f"{x:.1f},{y:.1f}")
        before = at
    # a single point is drawn by its round cap, and needs an end
    return {
        "lines": [" ".join(line * 2 if len(line) == 1 else line) for line in lines],
        "least": say(min(values)),
        "most": say(max(values)),
        "now": say(values[-1]),
        "span": words.duration(last - first),
    }
