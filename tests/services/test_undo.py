from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.errors import Conflict, NotFound
from devices.models import Device, Operation, Tag
from devices.services import acting, bus, operations, retrying, tagging, undo
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def added(redis_server: object) -> Operation:
    host = a_host("here")
    a_firmware()
    bus.publish_host_sample("here", a_sample())
    a_device(host, slot=7, serial="fd-000007")
    return operations.request_add(count=3, actor=None)


def test_an_addition_undone_takes_its_own_devices_and_no_other(added: Operation) -> None:
    started = Device.objects.filter(targets__operation=added).order_by("id")[0]
    Device.objects.filter(id=started.id).update(state=State.ONLINE)
    assert undo.leaves(operations.get(added.id)) == 3
    ada = User.objects.create_user("ada")
    removal = undo.undo(added.id, ada)
    assert (removal.kind, removal.count, removal.actor_id) == ("remove", 3, ada.pk)
    assert Device.objects.get(serial="fd-000007").state == State.ONLINE
    started.refresh_from_db()
    assert started.state == State.STOPPING
    # what had not started never will, and the addition has come to its end
    assert Device.objects.filter(state=State.GONE).count() == 2
    assert undo.leaves(operations.get(added.id)) == 0
    with pytest.raises(Conflict, match="left to undo"):
        undo.undo(added.id, ada)


def test_a_removal_cannot_be_undone_and_says_why(added: Operation) -> None:
    removal = operations.request_remove(count=1, actor=None)
    assert undo.leaves(operations.get(removal.id)) == 0
    with pytest.raises(Conflict, match="disks are deleted"):
        undo.undo(removal.id, None)
    with pytest.raises(NotFound):
        undo.undo(removal.id + 1, None)


def test_an_undoing_that_is_repeated_is_the_same_one(added: Operation) -> None:
    ada = User.objects.create_user("ada")
    removal = undo.undo(added.id, ada, "k")
    assert undo.undo(added.id, ada, "k").id == removal.id
    with pytest.raises(Conflict, match="was used for"):
        undo.undo(removal.id, ada, "k")
    with pytest.raises(Conflict, match="left to undo"):
        undo.undo(added.id, ada, "other")


@pytest.fixture
def three() -> list[Device]:
    """Of three devices the first has the tag lab, the second old."""
    host = a_host("here")
    devices = [a_device(host, serial=f"fd-{n}") for n in range(3)]
    Tag.objects.create(device=devices[0], name="lab")
    Tag.objects.create(device=devices[1], name="old")
    return devices


def tag(devices: list[Device], **parameters: list[str]) -> Operation:
    return acting.request(
        "tag", serials=[d.serial for d in devices], parameters=parameters, actor=None
    )


def test_undoing_a_tagging_takes_no_tag_that_it_did_not_give(three: list[Device]) -> None:
    operation = tag(three, add=["lab"], remove=["old"])
    assert [tagging.of(d) for d in three] == [["lab"], ["lab"], ["lab"]]
    assert undo.touches(operations.get(operation.id)) == 2
    back = undo.undo(operation.id, None)
    assert [tagging.of(d) for d in three] == [["lab"], ["old"], []]
    assert (back.count, back.parameters) == (2, {"add": ["old"], "remove": ["lab"]})
    undo.undo(back.id, None)
    assert [tagging.of(d) for d in three] == [["lab"], ["lab"], ["lab"]]


def test_a_tagging_that_changed_nothing_has_nothing_to_undo(three: list[Device]) -> None:
    operation = tag(three[:1], add=["lab"])
    assert undo.touches(operations.get(operation.id)) == 0
    with pytest.raises(Conflict, match="left to undo"):
        undo.undo(operation.id, None)


def test_what_an_undoing_could_not_give_back_is_tried_again_as_it_was_meant(
    three: list[Device],
) -> None:
    _, had_old, _ = three
    operation = tag(three, add=["lab"], remove=["old"])
    Tag.objects.bulk_create(Tag(device=had_old, name=f"t{n}") for n in range(19))
    Tag.objects.filter(device=had_old, name="lab").update(name="t19")
    back = undo.undo(operation.id, None)
    assert (back.state, back.targets.get(device=had_old).outcome) == ("partly", "failed")
    Tag.objects.filter(device=had_old, name__startswith="t").delete()
    again = retrying.retry(back.id, None, "k")
    assert (again.state, again.retry_of_id, tagging.of(had_old)) == ("succeeded", back.id, ["old"])
    assert retrying.retry(back.id, None, "k").id == again.id
