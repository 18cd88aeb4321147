"""When devices were last heard from, asked of Redis itself so that no process of ours is busy."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.errors import BenchError
from devices.services.bus import PRESENCE


@dataclass(frozen=True)
class Heard:
    """How long ago the most silent device was heard from, and how many were within a minute."""

    oldest_s: float
    in_last_minute: int
    devices: int


class Presence:
    """Looks at the fleet's presence set."""

    def __init__(self, var: Path) -> None:
        url = os.environ.get("REDIS_URL") or f"unix://{var.resolve()}/redis/redis.sock"
        self._redis = redis.Redis.from_url(url, socket_timeout=5)

    def look(self) -> Heard:
        """How it is now; raises BenchError when Redis cannot be asked."""
        try:
            pipe = self._redis.pipeline(transaction=True)
            now = time.time()
            pipe.zrange(PRESENCE, 0, 0, withscores=True)
            pipe.zcount(PRESENCE, now - 60, "+inf")
            pipe.zcard(PRESENCE)
            answers: list[Any] = pipe.execute()
        except redis.RedisError as error:
            raise BenchError(f"Redis could not be asked who was heard from: {error}") from error
        first, recent, devices = answers
        oldest_s = max(0.0, now - first[0][1]) if first else 0.0
        return Heard(round(oldest_s, 2), int(recent), int(devices))

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()
