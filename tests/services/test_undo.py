from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.errors import Conflict, NotFound
from devices.models import Device, Operation
from devices.services import bus, operations, undo
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
