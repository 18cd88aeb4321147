"""What guests and our own processes use, as hosts said last; nothing while Redis is away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from devices.services import bus


@dataclass(frozen=True)
class GuestsUse:
    """What a host's guests use together; `measured` of them have their exact memory in `pss`."""

    guests: int
    cores: float
    rss_bytes: int
    measured: int
    pss_bytes: int


def processes_key(host: str) -> str:
    """Key of what our own processes of a host use."""
    return f"fleet:processes:{host}"


def keep_processes(host: str, uses: Sequence[dict[str, Any]]) -> None:
    """Keep what our own processes of a host use (`devices.host.processes`) for 30 s."""
    bus.client().set(processes_key(host), json.dumps(list(uses)), ex=bus.LATEST_S)


def processes(host: str) -> list[dict[str, Any]]:
    """What our own processes of a host use; empty when it has said nothing for 30 s."""
    found = _read(processes_key(host))
    return list(found) if found else []


def guests(host: str) -> GuestsUse | None:
    """What a host's guests use; None when it has said nothing for 30 s."""
    sample = _read(bus.guests_sample_channel(host))
    if sample is None:
        return None
    rows = sample["guests"]
    exact = [pss for _, _, _, pss in rows if pss is not None]
    return GuestsUse(
        guests=len(rows),
        cores=sum(permille for _, permille, _, _ in rows) / 1000,
        rss_bytes=1024 * sum(rss for _, _, rss, _ in rows),
        measured=len(exact),
        pss_bytes=1024 * sum(exact),
    )


def redis_memory() -> int | None:
    """Bytes that Redis has in use; None while it is away."""
    try:
        return int(bus.client().info("memory")["used_memory"])
    except redis.RedisError:
        return None


def _read(key: str) -> Any:
    try:
        message = bus.client().get(key)
    except redis.RedisError:
        return None
    return json.loads(message) if isinstance(message, bytes) else None
