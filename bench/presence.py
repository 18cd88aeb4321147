"""When devices were last heard from, asked of Redis itself so that no process of ours is busy."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.errors import BenchError
from devices.services.bus import PRESENCE

MINUTE_S = 60.0


@dataclass(frozen=True)
class Heard:
    """How long ago the most silent device was heard from, and how many were within a minute.

    `stale` is how many are remembered that have no guest any more.
    """

    oldest_s: float
    in_last_minute: int
    stale: int


def judged(heard_at: Mapping[str, float], serials: Collection[str], now: float) -> Heard:
    """The devices among `serials`; one that was never heard from counts in neither figure."""
    ages_s = [now - at for serial, at in heard_at.items() if serial in serials]
    return Heard(
        oldest_s=round(max(0.0, *ages_s), 2) if ages_s else 0.0,
        in_last_minute=sum(age_s <= MINUTE_S for age_s in ages_s),
        stale=len(heard_at) - len(ages_s),
    )


class Presence:
    """Looks at the fleet's presence set."""

    def __init__(self, var: Path) -> None:
        url = os.environ.get("REDIS_URL") or f"unix://{var.resolve()}/redis/redis.sock"
        self._guests = var / "guests"
        self._redis = redis.Redis.from_url(url, socket_timeout=5)

    def look(self) -> Heard:
        """How it is now with the devices that have a guest; raises BenchError without Redis."""
        try:
            answer: Any = self._redis.zrange(PRESENCE, 0, -1, withscores=True)
            now = time.time()
        except redis.RedisError as error:
            raise BenchError(f"Redis could not be asked who was heard from: {error}") from error
        return judged(
            {serial.decode(): at for serial, at in answer}, set(os.listdir(self._guests)), now
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()
