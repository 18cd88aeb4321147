"""Brings rows and processes of a host into agreement: adopt, reap, fail, sweep.

Runs in the host's worker every few seconds and when it starts, so nothing depends on a task or a
message that was lost.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time

from django.db.models import Q
from django.utils import timezone

from devices.models import Device, Host
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import end_all
from devices.services import (
    bus,
    carrying,
    consoles,
    deadlines,
    deaths,
    dispatch,
    guests,
    launching,
    lever_work,
    powering,
    reaping,
    shortcomings,
    starting,
    strangers,
    templates,
    transitions,
)
from devices.states import LIVING, State

log = logging.getLogger(__name__)

FULL_EVERY_S = 30.0
ATTEMPTS = 3
END_DEADLINE_S = 10.0

_full_lock = threading.Lock()
_full_at = float("-inf")


def ask_all(control_host: str) -> None:
    """Ask every host's worker to tend its guests."""
    bus.heartbeat("control", control_host)
    for name in Host.objects.values_list("name", flat=True):
        dispatch.to_host("tend_host", name)


def tend(host_name: str) -> None:
    """One round on a host: a full comparison every 30 s, the cheap parts each time.

    The comparison comes before anything is decided on what rows say: after a pause they may name
    guests that have ended.
    """
    global _full_at
    bus.heartbeat("worker", host_name)
    heard_since = deadlines.heard_since(host_name)
    full = time.monotonic() - _full_at >= FULL_EVERY_S and _full_lock.acquire(blocking=False)
    try:
        if full:
            shortcomings.say(host_name)
            adopt(host_name)
        reaping.reap(host_name)
        carrying.carry_out(host_name)
        deadlines.enforce(host_name, heard_since)
        if full:
            sweep(host_name)
            powering.keep_off(host_name)
            _full_at = time.monotonic()
        elif Device.objects.on(host_name).filter(state=State.FAILED, pid__isnull=False).exists():
            sweep(host_name)
    finally:
        if full:
            _full_lock.release()
    lever_work.work(host_name)
    templates.prepare(host_name)
    launching.launch(host_name)


def adopt(host_name: str) -> None:
    """Take over running guests, whoever started them, and fail devices whose guest is missing."""
    rows = list(
        Device.objects.on(host_name).filter(state__in=guests.EXITABLE)
        .only("serial", "slot", "state", "attempts", "boot_id", "pid", "start_time")
        .order_by("id")
    )
    # asked after the rows: what was begun before they were read is known by now
    in_hand = launching.in_hand()
    missing: list[Device] = []
    started: list[tuple[str, int, str, int, int]] = []
    for device in rows:
        if device.id in in_hand:
            continue
        identity = guests.known_process(device)
        alive = identity is not None and identity.is_alive()
        if alive and identity is not None:
            if device.pid != identity.pid or device.start_time != identity.start_time:
                Device.objects.filter(id=device.id).update(
                    boot_id=identity.boot_id, pid=identity.pid, start_time=identity.start_time
                )
            consoles.follow(device.serial)
            GuestFolder(guests.folder(device.serial)).trim_log()
            started.append(
                (device.serial, device.slot or 0, identity.boot_id, identity.pid,
                 identity.start_time)
            )
        if device.state == State.SPAWNING:
            _settle_spawning(device, alive)
        elif not alive:
            missing.append(device)
    if started:
        bus.publish_guests(host_name, started=started)
    if missing:
        guests.guests_exited(
            host_name,
            {
                d.serial: deaths.UNSEEN if guests.has_disk(d.serial) else deaths.LOST
                for d in missing
            },
        )


def _settle_spawning(device: Device, alive: bool) -> None:
    if alive:
        transitions.move(
            [device.id], old=State.SPAWNING, new=State.BOOTING, reason="its guest was adopted",
            spawned_at=timezone.now(),
        )
    elif device.attempts < ATTEMPTS:
        transitions.move(
            [device.id], old=State.SPAWNING, new=State.REQUESTED,
            reason="The worker ended before it was started; it is tried again.",
            pid=None, start_time=None,
        )
    else:
        transitions.move(
            [device.id], old=State.SPAWNING,
            new=State.OFF if starting.has_disk(device) else State.FAILED,
            reason=f"It could not be started in {ATTEMPTS} attempts.",
        )


def sweep(host_name: str) -> None:
    """End guests and remove folders of devices that have failed, are gone or never had a row.

    Those of devices that seem to be in another database are left alone.
    """
    folder = guests.guests_folder()
    if not folder.is_dir():
        return
    # whatever else a file system puts there is nobody's guest
    serials = [
        each.name for each in folder.iterdir()
        if guests.SERIAL.fullmatch(each.name) and each.is_dir()
    ]
    wanted = set(
        Device.objects.filter(serial__in=serials, state__in=LIVING).values_list(
            "serial", flat=True
        )
    )
    Device.objects.on(host_name).filter(state=State.FAILED, pid__isnull=False).exclude(
        serial__in=serials
    ).update(pid=None, start_time=None)
    not_wanted = set(serials) - wanted - templates.OWN_FOLDERS
    strays = sorted(not_wanted - strangers.among(host_name, not_wanted))
    if not strays:
        return
    identities = {serial: GuestFolder(folder / serial).read_process() for serial in strays}
    bus.publish_guests(host_name, ended=strays)
    # asked to end it would end in order, as if it had shut itself down
    surviving = end_all(
        [each for each in identities.values() if each is not None],
        deadline_s=END_DEADLINE_S, grace_s=0.0,
    )
    # a guest keeps its folder as long as it runs, or nobody would find it again
    strays = [serial for serial in strays if identities[serial] not in surviving]
    for serial in strays:
        consoles.unfollow(serial)
        _keep_last_words(serial)
        shutil.rmtree(folder / serial, ignore_errors=True)
    Device.objects.filter(Q(state=State.FAILED) | Q(state=State.GONE), serial__in=strays).update(
        pid=None, start_time=None
    )
    log.info("swept %d guests without a living device", len(strays))


def _keep_last_words(serial: str) -> None:
    """What qemu itself said before it ended belongs to the reason."""
    said = GuestFolder(guests.folder(serial)).last_log_lines()
    failed = Device.objects.filter(serial=serial, state=State.FAILED).first()
    if said and failed is not None and said not in failed.reason:
        Device.objects.filter(id=failed.id).update(
            reason=f"{failed.reason} qemu said: “{said}”"[:500]
        )
