"""What the gateway does beside answering devices, from its start on: it beats and hears orders.

Daphne knows no lifespan, so the process's event loop is asked to begin.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.conf import settings

from devices.gateway import orders
from devices.services import bus

log = logging.getLogger(__name__)

BEAT_EVERY_S = 5.0

_tasks: list[asyncio.Task[None]] = []


def begin(tell: orders.Tell) -> None:
    """Begin as soon as the event loop runs."""
    # daphne has installed its own by the time an application is imported
    from twisted.internet import reactor

    loop: Any = reactor
    loop.callLater(0, _begin, tell)


def _begin(tell: orders.Tell) -> None:
    loop = asyncio.get_running_loop()
    _tasks.append(loop.create_task(beat(), name="beat"))
    _tasks.append(loop.create_task(orders.listen(tell), name="orders"))


async def beat() -> None:
    """Say for ever that devices can be heard here: a device is late by that time alone."""
    while True:
        try:
            await asyncio.to_thread(bus.heartbeat, bus.GATEWAY, settings.HOST_NAME)
        except Exception:
            log.exception("The gateway's heartbeat met a fault")
        await asyncio.sleep(BEAT_EVERY_S)
