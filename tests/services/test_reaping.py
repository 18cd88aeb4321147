from __future__ import annotations

import pytest

from devices.models import Device
from devices.services import reaping
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_all_of_a_host_is_gone_whatever_it_was_doing() -> None:
    host, other = a_host("here"), a_host("there")
    for state in State:
        a_device(host, state=state)
    elsewhere = a_device(other)
    assert reaping.all_gone("here") == len(State) - 1
    assert set(Device.objects.on("here").values_list("state", flat=True)) == {"gone"}
    elsewhere.refresh_from_db()
    assert elsewhere.state == State.ONLINE


def test_a_stopping_device_without_a_process_is_gone() -> None:
    device = a_device(a_host("here"), state=State.STOPPING)
    reaping.reap("here")
    device.refresh_from_db()
    assert (device.state, device.slot) == ("gone", None)
