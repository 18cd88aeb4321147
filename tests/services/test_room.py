from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Firmware, Host, Operation, Target
from devices.services import bus, capacity, costs, launching, operations, room
from devices.states import State
from tests.rows import a_cost, a_device, a_firmware, a_host, a_sample, a_settled_device

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "standing_clock")]


@pytest.fixture
def host(settings: Any) -> Host:
    room._usual.clear()
    settings.MEMORY_RESERVE_MIB, settings.CLONE_COST_MIB = 1536, 20
    settings.DEVICE_COST_MIB = 190
    bus.publish_host_sample("here", a_sample())
    bus.keep_template_status("here", {"state": "ready"})
    a_firmware()
    return a_host("here")


def starting(host: Host, count: int, age_s: float) -> None:
    since = timezone.now() - timedelta(seconds=age_s)
    for _ in range(count):
        a_device(host, state=State.BOOTING, start="warm", state_since=since)


def reported(host: Host, count: int, took_s: float = 0.5, ago_s: float = 5.0) -> None:
    online_at = timezone.now() - timedelta(seconds=ago_s)
    for _ in range(count):
        a_device(
            host, start="warm", online_at=online_at,
            spawned_at=online_at - timedelta(seconds=took_s),
        )


def test_those_that_start_fill_the_places(host: Host) -> None:
    assert room.room(host, "warm", 2.0) == 4
    starting(host, 3, age_s=1.0)
    assert room.room(host, "warm", 2.0) == 1
    assert bus.held(["here"]) == {}


def test_clones_that_never_report_do_not_keep_their_places(host: Host) -> None:
    reported(host, 20)
    starting(host, 4, age_s=4.0)
    assert room.room(host, "warm", 2.0) == 0
    Device.objects.filter(state="booting").update(
        state_since=timezone.now() - timedelta(seconds=6)
    )
    assert room.room(host, "warm", 2.0) == 4


def test_where_none_reports_any_more_launching_ends_by_itself(host: Host) -> None:
    reported(host, 20, ago_s=120.0)
    starting(host, 4, age_s=50.0)
    assert room.room(host, "warm", 2.0) == 4
    starting(host, 4, age_s=30.0)
    assert room.room(host, "warm", 2.0) == 0


def test_slow_devices_are_overdue_later(host: Host) -> None:
    reported(host, 20, took_s=10.0)
    starting(host, 4, age_s=25.0)
    assert room.room(host, "warm", 2.0) == 0


def test_what_is_late_is_said_by_each_devices_own_sort(host: Host) -> None:
    x64 = a_firmware(architecture="x64")
    reported(host, 20)
    # clones are late after 5 s, cold devices and those that reboot after 90
    since = timezone.now() - timedelta(seconds=20.0)
    a_device(host, state=State.BOOTING, start="cold", state_since=since)
    a_device(host, state=State.BOOTING, start="cold", state_since=since, firmware=x64)
    a_device(host, state=State.REBOOTING, start="warm", state_since=since)
    assert room.room(host, "warm", 2.0) == 1
    assert room.room(host, "cold", 2.0) == 1
    starting(host, 1, age_s=20.0)
    assert room.room(host, "cold", 2.0) == room.room(host, "warm", 2.0) == 1


def test_reboots_take_the_memory_of_their_own_architecture(host: Host) -> None:
    x64 = a_firmware(architecture="x64")
    guests = {}
    for firmware, mib in ((Firmware.objects.get(architecture="arm64"), 100), (x64, 300)):
        for _ in range(5):
            device = a_settled_device(host, reported_start="cold", firmware=firmware)
            guests[device.serial] = a_cost(mib)
    costs.learn("here", guests, {})
    bus.publish_host_sample("here", a_sample(available_mib=1536 + 370))
    assert room.reboots(host, "warm", "arm64")[1] == 3
    assert room.reboots(host, "warm", "x64")[1] == 1


@pytest.mark.parametrize(
    ("starting", "overdue", "lately", "count"),
    [
        (0, 0, 0, 0), (2, 0, 0, 2), (2, 1, 0, 1), (4, 4, 0, 0), (6, 6, 0, 2), (6, 6, 8, 0),
        (30, 30, 40, 16),
    ],
)  # fmt: skip
def test_the_law_of_overdue_guests(starting: int, overdue: int, lately: int, count: int) -> None:
    assert room.counted(starting, overdue, lately=lately, most=4) == count


def test_below_the_reserve_it_waits_and_the_operation_says_so(host: Host) -> None:
    operation = operations.request_add(count=3, actor=None)
    sample = a_sample(available_mib=1126)
    bus.publish_host_sample("here", sample | {"ksm": {"run": 1}})
    assert room.room(host, "warm", 2.0) == 0
    said = "waits for memory to merge: 1.1 GiB free, reserve 1.5 GiB"
    assert operations.get(operation.id).held == said
    bus.publish_host_sample("here", sample)
    assert room.room(host, "warm", 2.0) == 0
    assert operations.get(operation.id).held == "waits for memory: 1.1 GiB free, reserve 1.5 GiB"
    assert capacity.fleet_capacity().waiting.startswith("launching waits for memory: 1.1 GiB")
    bus.publish_host_sample("here", a_sample())
    assert room.room(host, "warm", 2.0) == 4
    assert operations.get(operation.id).held == ""


def test_an_operation_whose_devices_are_all_starting_waits_for_nothing(host: Host) -> None:
    operation = Operation.objects.create(kind="add", count=1, created_at=timezone.now())
    Target.objects.create(operation=operation, device=a_device(host, state=State.BOOTING))
    bus.keep_held("here", "waits for memory")
    assert operations.get(operation.id).held == ""


def test_it_slows_down_as_memory_nears_the_reserve(host: Host) -> None:
    bus.publish_host_sample("here", a_sample(available_mib=1536 + 50))
    assert room.room(host, "warm", 2.0) == 2
    assert bus.held(["here"])["here"].startswith("is slowed to 2 at once as memory runs short")


def test_it_slows_down_while_other_tasks_queue_and_says_so(host: Host) -> None:
    bus.publish_host_sample("here", a_sample(run_queue=8.0))
    assert room.room(host, "warm", 2.0) == 1
    said = "is slowed to 1 at once: other tasks queue for the cores"
    assert bus.held(["here"]) == {"here": said}


def test_a_width_somebody_chose_does_not_go_below_the_reserve_either(
    host: Host, settings: Any
) -> None:
    settings.LAUNCH_WIDTH = 50
    assert room.room(host, "warm", 2.0) == 50
    bus.publish_host_sample("here", a_sample(run_queue=50.0))
    assert room.room(host, "warm", 2.0) == 50
    bus.publish_host_sample("here", a_sample(available_mib=1500))
    assert room.room(host, "warm", 2.0) == 0


def test_on_its_own_host_memory_is_read_anew(host: Host, settings: Any) -> None:
    settings.HOST_NAME = "here"
    bus.publish_host_sample("here", a_sample(available_mib=1 << 30))
    settings.MEMORY_RESERVE_MIB = 1 << 20
    assert room.room(host, "warm", 2.0) == 0


def test_a_silent_poller_is_said_to_be_what_it_waits_for(host: Host) -> None:
    bus.client().delete(bus.host_channel("here"))
    assert room.room(host, "warm", 2.0) == 0
    assert "waits for the poller of here" in bus.held(["here"])["here"]


def test_when_all_have_started_nothing_is_held_any_more(host: Host) -> None:
    bus.publish_host_sample("here", a_sample(run_queue=8.0))
    assert room.room(host, "warm", 2.0) == 1
    assert bus.held(["here"]) != {}
    launching.launch("here")
    assert bus.held(["here"]) == {}
