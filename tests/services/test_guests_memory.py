from __future__ import annotations

from typing import Any

import pytest

from devices.services import bus, costs
from devices.services.guests_memory import estimate_kib, guests_bytes
from devices.states import State
from tests.rows import a_device, a_host


def test_a_guest_not_measured_yet_counts_as_the_mean_of_those_that_were() -> None:
    rows: list[list[int | None]] = [
        [0, 5, 90_000, 10_000], [1, 5, 90_000, 14_000], [2, 5, 90_000, None],
    ]
    assert estimate_kib(rows) == 36_000


def test_a_guest_counts_for_no_more_than_is_resident() -> None:
    assert estimate_kib([[0, 5, 90_000, 10_000], [1, 900, 3_000, None]]) == 13_000
    assert estimate_kib([[1, 900, 3_000, None], [2, 0, None, None]]) == 3_000


def test_a_sample_without_memory_says_nothing() -> None:
    assert estimate_kib([[0, 5], [1, 7]]) == 0


def test_a_burst_is_not_low_before_it_was_measured(redis_server: str) -> None:
    assert guests_bytes("here") == 0
    bus.publish_pss("here", {"fd-000001": 8_000})
    assert guests_bytes("here") == 8_000 << 10  # the poller is silent
    rows = [[slot, 3, 60_000, 8_000 if slot == 0 else None] for slot in range(100)]
    bus.publish_guests_sample("here", 1.0, rows)
    assert guests_bytes("here") == 800_000 << 10


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_where_none_was_measured_guests_count_as_what_such_devices_cost(settings: Any) -> None:
    settings.CLONE_COST_MIB, settings.DEVICE_COST_MIB = 40, 190
    host = a_host("here")
    costs.clones_are("here", "template-1", "forked", 5 << 10)
    rows = [[slot, 3, 60_000, None] for slot in range(100)]
    bus.publish_guests_sample("here", 1.0, rows)
    # shared memory is resident in each of them: without a device to go by it is all that is known
    assert guests_bytes("here") == 100 * 60_000 << 10
    for _ in range(2):
        a_device(host, state=State.BOOTING, start="warm")
    assert guests_bytes("here") == 100 * 12 << 20
    # a clone that was rebooted takes what a cold device does, and never more than is resident
    a_device(host, start="warm", reported_start="cold")
    a_device(host, start="cold")
    assert guests_bytes("here") == 100 * 60_000 << 10
    # what was measured goes before
    rows[0] = [0, 3, 60_000, 8_000]
    bus.publish_guests_sample("here", 2.0, rows)
    assert guests_bytes("here") == 800_000 << 10
