from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Host, Operation, Target
from devices.services import bus, capacity, launching, operations, room
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def host(settings: Any) -> Host:
    room._usual.clear()
    settings.MEMORY_RESERVE_MIB, settings.CLONE_COST_MIB = 1536, 20
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


@pytest.mark.parametrize(
    ("ages", "lately", "count"),
    [
        ([], 0, 0),
        ([1.0, 2.0], 0, 2),
        ([1.0, 9.0], 0, 1),
        ([9.0] * 4, 0, 0),
        ([9.0] * 6, 0, 2),
        ([9.0] * 6, 8, 0),
        ([9.0] * 30, 40, 16),
    ],
)
def test_the_law_of_overdue_guests(ages: list[float], lately: int, count: int) -> None:
    assert room.counted(ages, late_after_s=5.0, lately=lately, most=4) == count


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
