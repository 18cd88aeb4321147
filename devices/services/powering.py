"""Ends the guests of devices that are powered off, as if the plug were pulled; keeps their disks.

Runs in the host's worker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from django.db import transaction

from devices.errors import BadSerial
from devices.models import Device
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity, end_all
from devices.services import consoles, ending, guests, power_offs, transitions
from devices.services.verdicts import POWERABLE
from devices.states import State

log = logging.getLogger(__name__)

AT_ONCE = 250

_lock = threading.Lock()


def end(host_name: str) -> None:
    """End the guests whose power-off was asked for; their devices are off when it returns.

    A device that was just being started then is ended as soon as it has a guest. One that survives
    the deadline is tried again in the next round.
    """
    with _lock:
        asked = power_offs.pending().filter(host__name=host_name)
        if not asked.exists():
            return
        transitions.move(
            list(asked.filter(state=State.REQUESTED).values_list("id", flat=True)),
            old=State.REQUESTED, new=State.OFF, reason="powered off before it started",
        )
        transitions.move(
            list(asked.filter(state__in=POWERABLE).values_list("id", flat=True)),
            old=POWERABLE, new=State.POWERING_OFF, reason="powered off",
        )
        devices = list(asked.filter(state=State.POWERING_OFF).defer("command_line"))
        for some in ending.in_parts(devices, AT_ONCE):
            _end(host_name, some)


def _end(host_name: str, devices: Sequence[Device]) -> None:
    ended = ending.end(host_name, devices)
    with transaction.atomic():  # one that has left the state meanwhile may have another guest
        off = transitions.move(
            [d.id for d in ended], old=State.POWERING_OFF, new=State.OFF,
            reason="It was powered off.", pid=None, start_time=None,
        )
        for device in off:
            _let_go(device.serial)


def keep_off(host_name: str) -> None:
    """Let go of what guests of devices left that went off by themselves, and end what still runs.

    A guest of a device that is off is one that nobody recorded in time, or that did not report.
    """
    left: dict[int, tuple[Device, ProcessIdentity]] = {}
    for device in Device.objects.on(host_name).filter(state=State.OFF).defer("command_line"):
        identity = guests.known_process(device)
        if identity is not None:
            left[device.id] = device, identity
    # asked after their processes: one that has been started again since has another
    off = Device.objects.filter(id__in=left, state=State.OFF).values_list("id", flat=True)
    ending_now = [left[id_] for id_ in off]
    surviving = set(
        end_all([each for _, each in ending_now], deadline_s=ending.END_DEADLINE_S, grace_s=0.0)
    )
    for device, identity in ending_now:
        if identity in surviving:
            log.error("guest %s survived SIGKILL for %.0f s", identity, ending.END_DEADLINE_S)
            continue
        with transaction.atomic():  # nobody starts it meanwhile
            if _is_off(device):
                _let_go(device.serial)


def _is_off(device: Device) -> bool:
    same = Device.objects.select_for_update(of=("self",)).filter(id=device.id, state=State.OFF)
    with transaction.atomic(savepoint=False):
        return bool(same.values_list("id"))


def _let_go(serial: str) -> None:
    """Listen no more to a guest that has ended; its disk stays."""
    consoles.unfollow(serial)
    try:
        GuestFolder(guests.folder(serial)).keep_disk_only()
    except BadSerial:
        return
