"""Ends guests that are wanted gone and removes what they leave."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from devices.models import Device
from devices.services import bus, consoles, ending, guests, last_words, transitions
from devices.states import GRAPH, State

AT_ONCE = 250

_lock = threading.Lock()


def reap(host_name: str) -> None:
    """End all `stopping` guests of a host; their devices are gone when it returns.

    Some hundreds at a time, so that people see it advance. A guest that survives the deadline stays
    `stopping` and is tried again in the next round.
    """
    with _lock:
        stopping = list(
            Device.objects.on(host_name).filter(state=State.STOPPING).defer("command_line")
        )
        for devices in ending.in_parts(stopping, AT_ONCE):
            _reap(host_name, devices)


def _reap(host_name: str, devices: Sequence[Device]) -> None:
    ended = ending.end(host_name, devices)
    for device in ended:
        consoles.unfollow(device.serial)
        guests.remove_folder(device.serial)
    serials = [d.serial for d in ended]
    bus.forget(serials)
    last_words.shorten(serials)
    transitions.move(
        [d.id for d in ended], old=State.STOPPING, new=State.GONE, pid=None, start_time=None
    )


def all_gone(host_name: str, reason: str = "fleetdash was stopped") -> int:
    """Say of every device of a host that it is gone, once its guests have been ended.

    Gives how many there were. Of use to bin/down, when no worker runs any more.
    """
    ids = list(
        Device.objects.on(host_name).exclude(state=State.GONE).values_list("id", flat=True)
    )
    stoppable = [s for s in State if State.STOPPING in GRAPH[s].leads_to]
    transitions.move(ids, old=stoppable, new=State.STOPPING, reason=reason)
    gone = transitions.move(
        ids, old=State.STOPPING, new=State.GONE, reason=reason, pid=None, start_time=None
    )
    return len(gone)
