"""Ends guests that are wanted gone and removes what they leave."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from devices.models import Device
from devices.qemu.process_identity import end_all
from devices.services import bus, consoles, guests, launching, transitions
from devices.states import GRAPH, State

log = logging.getLogger(__name__)

END_DEADLINE_S = 10.0
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
        # asked after the rows: what was begun before they were read is known by now
        in_hand = launching.in_hand()
        devices = [device for device in stopping if device.id not in in_hand]
        for first in range(0, len(devices), AT_ONCE):
            _reap(host_name, devices[first : first + AT_ONCE])


def _reap(host_name: str, devices: Sequence[Device]) -> None:
    bus.publish_guests(host_name, ended=[d.serial for d in devices])
    identities = {d.id: guests.known_process(d) for d in devices}
    # no grace: what a guest would save is removed with it, and its qemu would first bring back
    # from swap, and copy out of merged pages, what it needs to end in order
    surviving = set(
        end_all(
            [i for i in identities.values() if i is not None],
            deadline_s=END_DEADLINE_S, grace_s=0.0,
        )
    )
    ended = [d for d in devices if identities[d.id] not in surviving]
    for device in ended:
        consoles.unfollow(device.serial)
        guests.remove_folder(device.serial)
    bus.forget([d.serial for d in ended])
    transitions.move(
        [d.id for d in ended], old=State.STOPPING, new=State.GONE, pid=None, start_time=None
    )
    for identity in surviving:
        log.error("guest %s survived SIGKILL for %.0f s", identity, END_DEADLINE_S)


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
