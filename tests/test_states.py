from __future__ import annotations

import pytest
from django.utils import timezone

from devices import states
from devices.models import Device
from devices.states import GRAPH, LIVING, State
from tests.rows import a_device, a_host

pytestmark = pytest.mark.django_db


def test_every_state_but_gone_leads_to_an_end() -> None:
    for state in State:
        reached, frontier = set(), {state}
        while frontier:
            reached |= frontier
            frontier = {n for s in frontier for n in GRAPH[s].leads_to} - reached
        assert State.GONE in reached, state


def test_gone_and_failed_are_the_only_states_that_are_not_living() -> None:
    assert set(State) - LIVING == {State.GONE, State.FAILED}


def test_move_moves_only_devices_still_in_the_old_state() -> None:
    host = a_host()
    waiting = a_device(host, state=State.REQUESTED)
    online = a_device(host, state=State.ONLINE)
    moved = states.move(
        [waiting.id, online.id], old=State.REQUESTED, new=State.SPAWNING, at=timezone.now()
    )
    assert [(d.id, was) for d, was in moved] == [(waiting.id, State.REQUESTED)]
    online.refresh_from_db()
    waiting.refresh_from_db()
    assert (waiting.state, online.state) == (State.SPAWNING, State.ONLINE)


def test_a_second_move_finds_nothing_left_to_move() -> None:
    device = a_device(a_host(), state=State.REQUESTED)
    now = timezone.now()
    first = states.move([device.id], old=State.REQUESTED, new=State.SPAWNING, at=now)
    second = states.move([device.id], old=State.REQUESTED, new=State.SPAWNING, at=now)
    assert (len(first), len(second)) == (1, 0)


def test_a_move_the_graph_does_not_have_is_refused() -> None:
    device = a_device(a_host(), state=State.GONE)
    with pytest.raises(states.ImpossibleMove, match="gone does not lead to online"):
        states.move([device.id], old=State.GONE, new=State.ONLINE, at=timezone.now())


def test_a_gone_device_gives_its_slot_back_and_a_failed_one_keeps_it() -> None:
    host = a_host()
    stopping = a_device(host, state=State.STOPPING, slot=3)
    booting = a_device(host, state=State.BOOTING, slot=4)
    now = timezone.now()
    states.move([stopping.id], old=State.STOPPING, new=State.GONE, at=now)
    states.move([booting.id], old=State.BOOTING, new=State.FAILED, at=now)
    slots = dict(Device.objects.values_list("id", "slot"))
    assert slots == {stopping.id: None, booting.id: 4}
    assert Device.objects.filter(ended_at=now).count() == 2
