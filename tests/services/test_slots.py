from __future__ import annotations

import pytest

from devices.services.slots import slots
from devices.states import State
from tests.rows import a_device, a_firmware, a_host

pytestmark = pytest.mark.django_db


def test_a_new_disk_has_its_firmware_in_a_and_nothing_in_b() -> None:
    a_firmware(version="0.3.0")
    a, b = slots(a_device(a_host(), state=State.BOOTING))
    assert (a.version, a.runs, a.next) == ("0.3.0", False, True)
    assert "not reported" in a.note
    assert (b.version, b.runs, b.next) == ("", False, False)
    assert b.note.startswith("Empty")


def test_what_runs_is_what_the_device_says() -> None:
    a_firmware(version="0.3.0")
    device = a_device(
        a_host(), reported_version="0.4.0", reported_slot="b", reported_start="warm"
    )
    a, b = slots(device)
    assert (a.version, a.runs, a.next) == ("0.3.0", False, False)
    assert "Not in use" in a.note
    assert (b.version, b.runs, b.next) == ("0.4.0", True, True)
    assert "warm start" in b.note


@pytest.mark.parametrize("state", [State.OFF, State.FAILED])
def test_nothing_runs_without_a_guest(state: State) -> None:
    a, _ = slots(a_device(a_host(), state=state, reported_slot="a", reported_version="0.1.0"))
    assert (a.runs, a.next) == (False, True)
    assert "ran last" in a.note


def test_a_gone_device_has_no_disk() -> None:
    device = a_device(a_host(), state=State.GONE, slot=None, reported_slot="a")
    assert all((s.version, s.runs, s.next) == ("", False, False) for s in slots(device))
