from __future__ import annotations

import asyncio
import json
import time

import pytest

from devices.gateway.ledger import Ledger
from devices.services import bus

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("redis_server")]


async def test_a_health_report_is_kept_and_counts_as_hearing_from_the_device() -> None:
    ledger = Ledger()
    ledger.health("fd-1", {"load": 0.5})
    ledger.heard("fd-2")
    until = time.monotonic() + 5
    while not (heard := bus.last_heard(["fd-1", "fd-2"])):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert set(heard) == {"fd-1", "fd-2"}
    kept = bus.client().hgetall(bus.HEALTH)
    assert json.loads(kept[b"fd-1"])["metrics"] == {"load": 0.5}
