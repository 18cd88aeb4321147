from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from devices.errors import Conflict, NotFound, Unavailable
from devices.models import Device, Event, HistoryPoint, Host, Operation, Target
from devices.services import bus, forgetting, tending
from devices.states import State
from fleetdash.celery import host_queue
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture(autouse=True)
def here(settings: Any) -> Host:
    settings.HOST_NAME = "here"
    return a_host("here")


@pytest.fixture
def old() -> Host:
    return a_host("old")


def an_operation(*devices: Device) -> Operation:
    now = timezone.now()
    operation = Operation.objects.create(
        kind="add", count=len(devices), state="succeeded", created_at=now, ended_at=now
    )
    Target.objects.bulk_create(
        Target(operation=operation, device=each, outcome="done", ended_at=now) for each in devices
    )
    return operation


def test_a_host_without_worker_and_devices_goes_with_all_that_is_its(
    old: Host, django_capture_on_commit_callbacks: Any
) -> None:
    gone = a_device(old, state=State.GONE, slot=None)
    there = a_device(Host.objects.get(name="here"))
    shared, its_own = an_operation(gone, there), an_operation(gone)
    Event.objects.create(at=timezone.now(), host=old, text="KSM: off → auto")
    for series in ("old", "here"):
        HistoryPoint.objects.create(series=series, tier=5, place=0, at=timezone.now())
    bus.keep_shortcomings("old", ["no KSM"])
    bus.keep_template_status("old", {"state": "ready"})
    tending.ask_all("here")
    with django_capture_on_commit_callbacks(execute=True):
        forgetting.forget("old", None)
    assert list(Host.objects.values_list("name", flat=True)) == ["here"]
    assert list(Device.objects.all()) == [there]
    assert list(Operation.objects.all()) == [shared]
    assert not Operation.objects.filter(id=its_own.id).exists()
    assert not Event.objects.filter(text__contains="KSM").exists()
    assert list(HistoryPoint.objects.values_list("series", flat=True)) == ["here"]
    assert not bus.client().exists(host_queue("old"))
    assert (bus.shortcomings("old"), bus.template_status("old")) == ([], None)
    tending.ask_all("here")
    assert not bus.client().exists(host_queue("old")), "it is not asked any more"


def test_devices_that_wait_to_be_ended_where_nobody_does_go_with_it(old: Host) -> None:
    device = a_device(old, state=State.STOPPING)
    a_device(Host.objects.get(name="here"))
    operation = Operation.objects.create(kind="remove", count=1, created_at=timezone.now())
    Target.objects.create(operation=operation, device=device)
    forgetting.forget("old", None)
    assert not Host.objects.filter(name="old").exists()
    assert not Operation.objects.filter(state="running").exists()


def test_what_is_still_of_use_is_not_forgotten(old: Host) -> None:
    with pytest.raises(NotFound, match="no host nowhere"):
        forgetting.forget("nowhere", None)
    with pytest.raises(Conflict, match="runs on this machine"):
        forgetting.forget("here", None)
    bus.heartbeat("worker", "old")
    with pytest.raises(Conflict, match="at work"):
        forgetting.forget("old", None)
    bus.client().delete(bus.heartbeat_key("worker", "old"))
    off, _ = a_device(old, state=State.OFF), a_device(old, state=State.STOPPING)
    with pytest.raises(Conflict, match="1 device"):
        forgetting.forget("old", None)
    Device.objects.filter(id=off.id).update(state=State.GONE)
    with pytest.raises(Conflict, match="newest device"):
        forgetting.forget("old", None)
    assert Host.objects.filter(name="old").exists()


def test_nothing_is_forgotten_while_nobody_knows_whether_its_worker_runs(
    old: Host, settings: Any
) -> None:
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    bus.client.cache_clear()
    with pytest.raises(Unavailable):
        forgetting.forget("old", None)
    assert not forgetting.is_silent("old")
    bus.client.cache_clear()


def test_only_another_machine_of_which_nothing_is_heard_is_silent(old: Host) -> None:
    assert [forgetting.is_silent(name) for name in ("old", "here")] == [True, False]
    bus.heartbeat("poller", "old")
    assert not forgetting.is_silent("old")
