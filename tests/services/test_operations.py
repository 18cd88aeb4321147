from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.errors import BadRequest, Conflict, DoesNotFit, NotFound, Unavailable
from devices.models import Device, Event, Host, Operation
from devices.services import bus, operations, transitions
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def host(redis_server: object) -> str:
    a_host("here")
    a_firmware()
    bus.publish_host_sample("here", a_sample())
    return "here"


@pytest.mark.parametrize(
    "count",
    [0, -1, 10_001, 1.5, "10", None, True, pytest.param(10**5000, id="too long to print")],
)
def test_a_count_that_is_no_whole_number_in_range_is_refused(host: str, count: object) -> None:
    with pytest.raises(BadRequest, match="not a whole number from 1 to 10,000"):
        operations.request_add(count=count, actor=None)  # type: ignore[arg-type]
    assert Operation.objects.count() == 0


def test_it_adds_rows_with_serials_slots_and_secrets_of_their_own(host: str) -> None:
    a_device(a_host("other"), slot=1, serial="fd-000041")
    operation = operations.request_add(count=3, actor=None)
    devices = list(Device.objects.filter(targets__operation=operation).order_by("id"))
    assert [d.serial for d in devices] == ["fd-000042", "fd-000043", "fd-000044"]
    assert [d.slot for d in devices] == [0, 2, 3]
    assert len({d.secret for d in devices}) == 3
    assert {d.state for d in devices} == {State.REQUESTED}
    assert Event.objects.filter(operation=operation, to_state=State.REQUESTED).count() == 3


def test_more_than_fits_is_refused_with_the_number_that_does(
    host: str, settings: pytest.FixtureRequest
) -> None:
    settings.MEMORY_RESERVE_MIB, settings.DEVICE_COST_MIB = 1000, 100  # type: ignore[attr-defined]
    bus.publish_host_sample("here", a_sample(available_mib=1950))
    with pytest.raises(DoesNotFit, match="10 more devices do not fit: 9 more fit now") as refusal:
        operations.request_add(count=10, actor=None)
    assert refusal.value.fits == 9
    assert Device.objects.count() == 0
    operations.request_add(count=9, actor=None)
    with pytest.raises(DoesNotFit, match="1 more device does not fit: 0 more fit"):
        operations.request_add(count=1, actor=None)


def test_a_limit_of_the_kernel_is_named_where_memory_would_do(host: str) -> None:
    limits = {"limits": {"tasks_left": 1024 + 40, "open_files": 20_000}}
    bus.publish_host_sample("here", a_sample() | limits)
    with pytest.raises(DoesNotFit, match="8 more fit now .*raise kernel.pid_max"):
        operations.request_add(count=10, actor=None)


def test_a_host_that_says_nothing_takes_nothing(host: str) -> None:
    bus.client().delete(bus.host_channel("here"))
    with pytest.raises(DoesNotFit, match="its poller is down"):
        operations.request_add(count=1, actor=None)


def test_without_a_host_or_a_firmware_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="no host yet: run bin/up"):
        operations.request_add(count=1, actor=None)
    a_host("here")
    with pytest.raises(Unavailable, match="no firmware yet"):
        operations.request_add(count=1, actor=None)


def test_the_same_key_gives_the_same_operation(host: str) -> None:
    first = operations.request_add(count=2, actor=None, idempotency_key="k")
    again = operations.request_add(count=2, actor=None, idempotency_key="k")
    assert (again.id, Device.objects.count()) == (first.id, 2)
    with pytest.raises(Conflict, match="was used for"):
        operations.request_add(count=3, actor=None, idempotency_key="k")


def test_removal_takes_failed_devices_first_and_then_the_newest(host: str) -> None:
    here = Host.objects.get(name="here")
    old = a_device(here)
    failed = a_device(here, state=State.FAILED)
    young = a_device(here)
    operation = operations.request_remove(count=2, actor=None)
    states = dict(Device.objects.values_list("id", "state"))
    assert states == {old.id: "online", failed.id: "stopping", young.id: "stopping"}
    transitions.move([failed.id, young.id], old=State.STOPPING, new=State.GONE)
    assert operations.get(operation.id).state == "succeeded"


def test_removing_what_never_started_ends_at_once(host: str) -> None:
    added = operations.request_add(count=2, actor=None)
    removed = operations.request_remove(count=5, actor=None)
    assert set(Device.objects.values_list("state", flat=True)) == {"gone"}
    assert operations.get(removed.id).state == "succeeded"
    assert operations.get(removed.id).note == "there were only 2"
    assert operations.get(added.id).state == "cancelled"


def test_removing_nothing_and_unknown_serials_are_refused(host: str) -> None:
    with pytest.raises(Conflict, match="no device left"):
        operations.request_remove(count=1, actor=None)
    known = a_device(Host.objects.get(name="here"))
    with pytest.raises(NotFound, match="no device fd-nope"):
        operations.request_remove_devices(serials=[known.serial, "fd-nope"], actor=None)
    known.refresh_from_db()
    assert known.state == State.ONLINE


def test_cancel_drops_what_waits_and_keeps_what_has_begun(host: str) -> None:
    actor = User.objects.create_user("ada")
    operation = operations.request_add(count=3, actor=actor)
    begun = Device.objects.order_by("id").first()
    assert begun is not None
    transitions.move([begun.id], old=State.REQUESTED, new=State.SPAWNING)
    operations.cancel(operation.id, actor)
    view = operations.get(operation.id)
    assert (view.state, view.pending, view.cancelled) == ("running", 1, 2)
    transitions.move([begun.id], old=State.SPAWNING, new=State.BOOTING)
    transitions.move([begun.id], old=State.BOOTING, new=State.ONLINE)
    view = operations.get(operation.id)
    assert (view.state, view.done, view.actor) == ("cancelled", 1, "ada")
    with pytest.raises(Conflict, match="has ended already"):
        operations.cancel(operation.id, actor)


def test_an_operation_with_some_failures_ends_partly(host: str) -> None:
    operation = operations.request_add(count=2, actor=None)
    first, second = Device.objects.order_by("id")
    for device, end in ((first, State.ONLINE), (second, State.FAILED)):
        transitions.move([device.id], old=State.REQUESTED, new=State.SPAWNING)
        transitions.move([device.id], old=State.SPAWNING, new=end)
    view = operations.get(operation.id)
    assert (view.state, view.done, view.failed) == ("partly", 1, 1)
