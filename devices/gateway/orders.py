"""Orders of the fleet to its devices: heard from Redis, pushed down their sockets.

A device that is just connecting gets its order when it has joined; one that does not within
`KEPT_S`, or has booted anew since, gets none, and whoever gave it says so
(`devices/services/ordering.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from devices.services import orders
from devices.services.orders import Order
from devices.services.reporting import Report

log = logging.getLogger(__name__)

KEPT_S = 45.0
RETRY_S = 0.5
READ_S = 5.0
HEALTH_S = 5

Tell = Callable[[str, Order], bool]


class _Kept(NamedTuple):
    """An order, until when it is kept (monotonic), and the Unix time at which it was given."""

    order: Order
    until_s: float
    given_at: float


class KeptOrders:
    """The newest order of each device that was not there to hear it."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._kept: dict[str, _Kept] = {}

    def add(self, serial: str, order: Order) -> None:
        """Keep an order for a while."""
        self._kept.pop(serial, None)  # the oldest come first
        self._kept[serial] = _Kept(order, self._clock() + KEPT_S, self._wall())
        self._drop_old()

    def take(self, serial: str) -> Order | None:
        """The order that a device has to hear, which is kept no longer; None for none."""
        self._drop_old()
        kept = self._kept.pop(serial, None)
        return kept.order if kept else None

    def booted(self, report: Report) -> None:
        """Keep no order that was meant for the boot before the one a device reports."""
        kept = self._kept.get(report.serial)
        if kept is not None and report.is_of_boot_after(kept.given_at):
            del self._kept[report.serial]

    def __len__(self) -> int:
        return len(self._kept)

    def _drop_old(self) -> None:
        now_s = self._clock()
        for serial, kept in list(self._kept.items()):
            if kept.until_s > now_s:
                return
            del self._kept[serial]


kept = KeptOrders()


def hand_on(message: bytes, tell: Tell) -> None:
    """Push an order to its devices, and keep it for those that are not there."""
    try:
        order, serials = orders.read(message)
    except ValueError as error:
        log.warning("An order was not understood: %s", error)
        return
    for serial in serials:
        if not tell(serial, order):
            kept.add(serial, order)


async def listen(tell: Tell) -> None:
    """Hand on orders for ever; when Redis is away, try again."""
    # socket_timeout: silence is no fault here (channels_redis#422)
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=2,
        health_check_interval=HEALTH_S,
    )
    away = False
    while True:
        pubsub: Any = client.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(orders.CHANNEL)
            if away:
                log.warning("Redis answers again: orders are heard")
            away = False
            while True:
                message = await pubsub.get_message(timeout=READ_S)
                if message is not None:
                    hand_on(message["data"], tell)
        except (RedisError, OSError) as error:
            if not away:
                log.warning("Redis is away, no order is heard: %s", error)
            away = True
            await asyncio.sleep(RETRY_S)
        except Exception:
            log.exception("An order met a fault; listening again")
            await asyncio.sleep(RETRY_S)
        finally:
            await pubsub.aclose()
