from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device, Event
from devices.services import timeline
from tests.rows import a_device, a_host

pytestmark = pytest.mark.django_db

BEGAN = timezone.now()


def _event(device: Device, second: float, to: str, text: str = "") -> Event:
    return Event.objects.create(
        at=BEGAN + timedelta(seconds=second), device=device, to_state=to, text=text
    )


@pytest.fixture
def device() -> Device:
    return a_device(a_host())


def test_how_long_each_state_lasted_and_remarks_are_no_states(device: Device) -> None:
    _event(device, 0, "booting")
    _event(device, 4, "online")
    _event(device, 10, "", "tagged lab")
    _event(device, 34, "offline")
    shown = timeline.page(device)
    assert [m.lasted_s for m in shown.moments] == [None, None, 30.0, 4.0]
    assert (shown.newest, shown.before) == (True, 0)


def test_older_ones_go_on_where_the_page_ended(device: Device) -> None:
    other = a_device(device.host)
    for second in range(7):
        _event(device, second, "online" if second % 2 else "offline")
        _event(other, second, "online")
    first = timeline.page(device, limit=3)
    second_page = timeline.page(device, before=first.before, limit=3)
    last = timeline.page(device, before=second_page.before, limit=3)
    every = [m.event.at for shown in (first, second_page, last) for m in shown.moments]
    assert every == [BEGAN + timedelta(seconds=s) for s in range(6, -1, -1)]
    assert [len(s.moments) for s in (first, second_page, last)] == [3, 3, 1]
    assert (last.newest, last.before) == (False, 0)
    # the newest of an older page lasted until the oldest of the newer one
    assert second_page.moments[0].lasted_s == 1.0


def test_a_start_is_asked_for_with_the_device_or_by_powering_it_on(device: Device) -> None:
    now = timezone.now()
    assert timeline.start_asked_at(device) is None
    device.requested_at, device.online_at = now - timedelta(days=9), now - timedelta(days=9)
    assert timeline.start_asked_at(device) == device.requested_at
    powered_on = Event.objects.create(
        at=now - timedelta(seconds=8), device=device, from_state="off", to_state="requested"
    )
    Event.objects.create(
        at=now - timedelta(seconds=5), device=device, from_state="spawning", to_state="requested"
    )
    device.online_at = now
    assert timeline.start_asked_at(device) == powered_on.at


def test_which_start_was_asked_for_is_not_known_once_its_events_may_be_gone(
    device: Device, settings: Settings
) -> None:
    settings.KEEP_EVENTS_DAYS = 14
    device.online_at = timezone.now() - timedelta(days=15)
    device.requested_at = device.online_at - timedelta(days=9)
    assert timeline.start_asked_at(device) is None
