"""The one subscription a web process has to Redis; comes back by itself when Redis does."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from devices.services import bus, typists

log = logging.getLogger(__name__)

PATTERNS = (bus.cores_channel("*"), bus.host_channel("*"), bus.guests_sample_channel("*"))
RETRY_S = (0.1, 0.25, 0.5)
READ_S = 0.5  # how long a wish to follow another console may wait
HEALTH_S = 5

Heard = Callable[[str, bytes], Awaitable[None]]
Connected = Callable[[], Awaitable[None]]


class Subscription:
    """Listens to the fleet's channels and to the consoles somebody looks at.

    `heard` gets a channel's name and the message; a console that begins to be followed is told as
    `fleet:console-begin:<serial>` with all that is kept of it, then who types on it. `connected` is
    called each time the subscription stands, for whatever was said before is lost.
    """

    def __init__(self, redis_url: str, heard: Heard, connected: Connected) -> None:
        # socket_timeout: silence is no fault here (channels_redis#422)
        self._redis = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=None, socket_connect_timeout=2,
            health_check_interval=HEALTH_S,
        )
        self._heard = heard
        self._connected = connected
        self._numbers = itertools.count()
        # serial -> number of the wish: who leaves and comes back at once has a new one
        self._wishes: dict[str, int] = {}

    def follow_console(self, serial: str) -> None:
        """Listen to a device's console from now on, unless that is so already."""
        if serial not in self._wishes:
            self._wishes[serial] = next(self._numbers)

    def leave_console(self, serial: str) -> None:
        """Listen to it no more; who follows it again is told all that is kept of it again."""
        self._wishes.pop(serial, None)

    async def run(self) -> None:
        """Listen for ever; when Redis is away, try again, at first soon."""
        failures = 0
        try:
            while True:
                pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
                try:
                    await pubsub.psubscribe(*PATTERNS)
                    await pubsub.subscribe(bus.CHANGES, bus.REVOKED)
                    await self._connected()
                    failures = 0
                    await self._listen(pubsub)
                except (RedisError, OSError) as error:
                    if failures == 0:
                        log.warning("Redis is away, the page stands still: %s", error)
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                    failures += 1
                except Exception:
                    # a database that is away for a moment, say: the page must come back by itself
                    log.exception("The live page's subscription met a fault; beginning again")
                    await asyncio.sleep(RETRY_S[-1])
                finally:
                    await pubsub.aclose()
        finally:
            await self._redis.aclose()

    async def _listen(self, pubsub: Any) -> None:
        followed: dict[str, int] = {}
        while True:
            for serial in followed.keys() - self._wishes.keys():
                del followed[serial]
                await pubsub.unsubscribe(bus.console_channel(serial), typists.channel(serial))
            for serial, wish in self._wishes.items() - followed.items():
                followed[serial] = wish
                await self._follow(pubsub, serial)
            message = await pubsub.get_message(timeout=READ_S)
            if message is not None and message["type"] in {"message", "pmessage"}:
                await self._heard(message["channel"].decode(), message["data"])

    async def _follow(self, pubsub: Any, serial: str) -> None:
        name = bus.console_channel(serial)
        await pubsub.subscribe(name, typists.channel(serial))
        kept = await self._redis.getrange(name, -bus.CONSOLE_BYTES, -1)
        output = kept if isinstance(kept, bytes) else b""
        await self._heard(f"fleet:console-begin:{serial}", output)
        typist = await self._redis.get(typists.channel(serial))
        await self._heard(typists.channel(serial), typist if isinstance(typist, bytes) else b"")
