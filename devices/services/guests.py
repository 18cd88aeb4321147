"""Guests as processes of a host, told apart from devices as rows."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from devices.errors import BadSerial
from devices.models import Device
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity, current_boot_id
from devices.services import deaths, dispatch, power_offs, transitions
from devices.states import WITH_PROCESS, State

# `stopping` is ending on purpose
EXITABLE = tuple(s for s in (State.SPAWNING, *WITH_PROCESS) if s is not State.STOPPING)
# one that has not been online yet has no business ending, in order or not
CAN_END_ITSELF = tuple(s for s in EXITABLE if s not in (State.SPAWNING, State.BOOTING))
# how a guest ended is not known: before Linux 6.15 never, later where nobody watched
NOT_TOLD = (deaths.UNKNOWN, deaths.UNSEEN)
# how a guest may seem to have ended that a power-off ended
BY_POWER_OFF = (deaths.KILLED, deaths.IN_ORDER, *NOT_TOLD)
SHUT_DOWN = "It shut down."
SHUT_ITSELF_DOWN = "It shut itself down: its qemu process ended in order."
DISK_KEPT = "Its disk is kept: power it on again."
CUT_OFF = "The machine was restarted. Its disk is kept: power it on."
# a row is written by users with fewer rights than the worker, which removes folders by this name
SERIAL = re.compile(r"[0-9A-Za-z-]{1,32}")


class Guest(NamedTuple):
    """A guest's process and the device it is."""

    serial: str
    slot: int
    boot_id: str
    pid: int
    start_time: int


def folder(serial: str) -> Path:
    """Where a guest's overlay, sockets and process record lie; raises BadSerial."""
    if not SERIAL.fullmatch(serial):
        raise BadSerial(f"{serial[:40]!r} is no serial: it has letters, digits and hyphens only.")
    return guests_folder() / serial


def guests_folder() -> Path:
    """The folder of all guests of this host."""
    return Path(settings.VAR_DIR) / "guests"


def known_process(device: Device) -> ProcessIdentity | None:
    """The device's process as its folder recorded it; None when there is none.

    Never as the row has it: the worker ends what this gives with all its rights, and a row is
    written by users that have fewer.
    """
    try:
        return GuestFolder(folder(device.serial)).read_process()
    except BadSerial:
        return None


def has_disk(serial: str) -> bool:
    """Whether a guest's disk lies in its folder. Of use to the worker: the folder is root's."""
    try:
        return GuestFolder(folder(serial)).overlay.is_file()
    except BadSerial:
        return False


def remove_folder(serial: str) -> None:
    """Remove what a guest leaves; nothing happens for a serial that cannot have a guest."""
    with contextlib.suppress(BadSerial):
        shutil.rmtree(folder(serial), ignore_errors=True)


def living_guests(host_name: str) -> list[Guest]:
    """The guests that should be running on a host, as far as the rows know their processes."""
    rows = (
        Device.objects.on(host_name)
        .filter(state__in=EXITABLE, pid__isnull=False, slot__isnull=False)
        .values_list("serial", "slot", "boot_id", "pid", "start_time")
    )
    return [Guest(s, slot or 0, boot, pid or 0, start or 0) for s, slot, boot, pid, start in rows]


def count_living(host_name: str) -> int:
    """How many guests should be running on a host."""
    return Device.objects.on(host_name).filter(state__in=EXITABLE, pid__isnull=False).count()


def has_lived(device: Device) -> bool:
    """Whether a device has been online before, so that its disk is to be kept."""
    return bool(device.reported_version)


def guests_exited(host_name: str, causes: Mapping[str, str]) -> int:
    """Write down that processes ended unasked, by serial with the cause; gives how many deaths.

    Many deaths at once are told of as one event. A device whose guest died has failed, or is off
    where its disk is to be kept (`_died`). One that was to end, that ended itself in order, or
    whose machine was restarted is off, and no death. A device whose row names a living process, or
    none yet, is left alone: it was started again meanwhile. So is one whose power-off is pending
    where that may be what ended it: the round that does so says it.
    """
    # asked before the rows: what ends one of these is moved by its round alone
    asked = set(power_offs.pending().filter(serial__in=causes).values_list("id", flat=True))
    devices = Device.objects.on(host_name).filter(serial__in=causes, state__in=EXITABLE)
    dead: dict[tuple[str, State, str], list[int]] = {}
    ended: dict[str, list[int]] = {}
    for device in devices.defer("command_line"):
        cause = causes[device.serial]
        if _is_started_again(device) or (device.id in asked and cause in BY_POWER_OFF):
            continue
        to_end = device.id in asked or device.state == State.POWERING_OFF
        if reason := _ended(device, cause, to_end):
            ended.setdefault(reason, []).append(device.id)
        else:
            dead.setdefault((cause, *_died(device, cause, to_end)), []).append(device.id)
    for reason, ids in ended.items():
        transitions.move(
            ids, old=(*CAN_END_ITSELF, State.BOOTING), new=State.OFF, reason=reason,
            pid=None, start_time=None,
        )
    if CUT_OFF in ended:
        deaths.tell_restart(host_name)
    moved = 0
    for (cause, new, reason), ids in dead.items():
        columns: dict[str, Any] = {"pid": None, "start_time": None} if new is State.OFF else {}
        moved += len(
            transitions.move(ids, old=EXITABLE, new=new, reason=reason, cause=cause, **columns)
        )
    if ended:
        # others may wait for their turn to be shut down, or to start
        dispatch.to_host("act", host_name)
    if moved:
        deaths.tell(host_name)
        dispatch.to_host("tend_host", host_name)
    return moved


def _ended(device: Device, cause: str, to_end: bool) -> str:
    """Why a device is off whose guest's end is no death; empty for a death."""
    if cause == deaths.LOST:
        return ""
    if device.boot_id not in ("", current_boot_id()) and device.state in WITH_PROCESS:
        return CUT_OFF
    if to_end and cause in (deaths.IN_ORDER, *NOT_TOLD):
        return SHUT_DOWN
    if device.state in CAN_END_ITSELF and cause == deaths.IN_ORDER:
        return SHUT_ITSELF_DOWN
    return ""


def _died(device: Device, cause: str, to_end: bool) -> tuple[State, str]:
    """What becomes of a device whose guest died, and what is said of it.

    It keeps its disk where it was to end, was just being started again from that disk, or may have
    ended in order; yet not where the disk is gone.
    """
    reason = f"Its qemu process ended on its own: {cause}. The console shows what it last said."
    if cause == deaths.LOST:
        return State.FAILED, reason
    if to_end:
        return State.OFF, f"It is off, though it did not shut down in order: {cause}."
    if has_lived(device) and (device.state not in CAN_END_ITSELF or cause in NOT_TOLD):
        return State.OFF, f"{reason} {DISK_KEPT}"
    return State.FAILED, reason


def _is_started_again(device: Device) -> bool:
    if device.pid is None or device.start_time is None:
        return device.state == State.SPAWNING
    return ProcessIdentity(device.boot_id, device.pid, device.start_time).is_alive()
