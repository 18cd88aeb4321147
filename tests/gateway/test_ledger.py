from __future__ import annotations

import asyncio
import json
import time

import pytest

from devices.gateway.ledger import Ledger
from devices.services import bus, traffic

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("redis_server")]


async def test_a_health_report_is_kept_and_counts_as_hearing_from_the_device() -> None:
    bus.heard_from(["fd-1", "fd-2"], 1.0)
    ledger = Ledger()
    ledger.health("fd-1", {"load": 0.5})
    ledger.heard("fd-2")
    until = time.monotonic() + 30
    while min((heard := bus.last_heard(["fd-1", "fd-2"])).values()) == 1.0:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert set(heard) == {"fd-1", "fd-2"}
    kept = bus.client().hgetall(bus.HEALTH)
    assert json.loads(kept[b"fd-1"])["metrics"] == {"load": 0.5}


async def test_what_devices_send_and_are_sent_is_counted_with_the_next_flush() -> None:
    ledger = Ledger()
    ledger.traffic.received(40)
    ledger.traffic.sent(9)
    ledger.heard("fd-unknown")
    until = time.monotonic() + 30
    while not ((found := traffic.read()) and found.messages):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert (found.received_bytes, found.sent_bytes) == (40, 9)
    assert bus.remembered() == set()
