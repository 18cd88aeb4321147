"""Ends the guests of devices at once; what becomes of a device and its disk is decided elsewhere.

Runs in the host's worker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from devices.models import Device
from devices.qemu.process_identity import end_all
from devices.services import bus, guests, launching

log = logging.getLogger(__name__)

END_DEADLINE_S = 10.0


def in_parts(devices: Sequence[Device], size: int) -> Iterator[list[Device]]:
    """Those that no thread is starting right now, some at a time, so that people see it advance."""
    # asked after the rows: what was begun before they were read is known by now
    in_hand = launching.in_hand()
    devices = [device for device in devices if device.id not in in_hand]
    for first in range(0, len(devices), size):
        yield devices[first : first + size]


def end(host_name: str, devices: Sequence[Device]) -> list[Device]:
    """End their guests; gives the devices that have none any more.

    Without grace: what a guest would save is nobody's wish, and its qemu would first bring back
    from swap, and copy out of merged pages, what it needs to end in order.
    """
    bus.publish_guests(host_name, ended=[d.serial for d in devices])
    identities = {d.id: guests.known_process(d) for d in devices}
    surviving = set(
        end_all(
            [i for i in identities.values() if i is not None],
            deadline_s=END_DEADLINE_S, grace_s=0.0,
        )
    )
    for identity in surviving:
        log.error("guest %s survived SIGKILL for %.0f s", identity, END_DEADLINE_S)
    return [d for d in devices if identities[d.id] not in surviving]
