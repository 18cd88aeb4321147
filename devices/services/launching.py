"""Starts requested devices on a host, as many at once as the host can bear.

There is no queue to replay: each round takes what is `requested`, so a round that was lost costs a
few seconds and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from devices.errors import BadSerial, FleetError
from devices.firmware.errors import FirmwareError
from devices.models import Device, Firmware, Host
from devices.qemu.errors import DiskMissing, QemuError
from devices.qemu.process_identity import ProcessIdentity, end_all
from devices.qemu.template import Template
from devices.services import (
    bus,
    consoles,
    guests,
    merging,
    room,
    starting,
    templates,
    transitions,
)
from devices.states import State

log = logging.getLogger(__name__)



@dataclass(frozen=True)
class Pace:
    """How many guests a core may have starting, and how many are begun in one round.

    On a host with much else to do, that goes down to `least`.
    """

    per_core: float
    at_once: int
    least: int = 1


# a cold boot keeps a core busy for seconds, a clone that starts a qemu for a fifth of one, and one
# that is forked for a hundredth: that one mostly waits for its report to be heard
COLD, CLONED, FORKED = Pace(2.0, 4), Pace(1.5, 4), Pace(16.0, 16, least=4)

_launching = threading.Lock()
_asked = threading.Event()
_in_hand: set[int] = set()
_in_hand_lock = threading.Lock()


def in_hand() -> set[int]:
    """The devices that a thread of this process is starting right now."""
    with _in_hand_lock:
        return set(_in_hand)


def launch(host_name: str) -> None:
    """Start what waits until the host can bear no more; one thread at a time does."""
    _asked.set()
    while _asked.is_set() and _launching.acquire(blocking=False):
        try:
            _asked.clear()
            while _launch_some(host_name):
                pass
        finally:
            _launching.release()


def _launch_some(host_name: str) -> bool:
    """Start a few; whether there may be room for more."""
    host = Host.objects.filter(name=host_name).first()
    if host is None:
        return False
    waiting = Device.objects.filter(host=host, state=State.REQUESTED).order_by("id")
    next_ones = list(
        waiting.select_related("firmware").defer("command_line")[: FORKED.at_once]
    )
    if not next_ones:
        room.nothing_waits(host)
        return False
    first = next_ones[0]
    template = None
    if first.start == Device.Start.WARM:
        template = _template(host, first.firmware)
    kind = Device.Start.COLD if template is None else Device.Start.WARM
    architecture = first.firmware.architecture
    pace = _pace(template)
    places = room.room(host, kind, pace.per_core, pace.least, architecture=architecture)
    if places == 0:
        return False
    alike = [d for d in next_ones if (d.start, d.firmware) == (first.start, first.firmware)]
    devices = alike[: min(places, pace.at_once)]
    with _in_hand_lock:
        _in_hand.update(d.id for d in devices)
    try:
        moved = {
            d.id
            for d in transitions.move(
                [d.id for d in devices], old=State.REQUESTED, new=State.SPAWNING,
                attempts=F("attempts") + 1, start=kind,
            )
        }
        started = _start(host, [d for d in devices if d.id in moved], template)
    finally:
        with _in_hand_lock:
            _in_hand.difference_update(d.id for d in devices)
    # when every place is taken, the next report that frees one asks again
    return started < places


def _pace(template: Template | None) -> Pace:
    if template is None:
        return COLD
    return CLONED if template.living_zygote is None else FORKED


def _template(host: Host, firmware: Firmware) -> Template | None:
    """None, too, where no guest can be started at all: starting cold says why, device by device."""
    try:
        return templates.current(host, firmware)
    except (FleetError, FirmwareError, QemuError, OSError) as error:
        log.warning("there is no template: %s", error)
        return None


def _start(host: Host, devices: Sequence[Device], template: Template | None) -> int:
    """Start these and write down what became of each; how many started."""
    began = time.monotonic()
    started: list[Device] = []
    outcomes = starting.start_all(devices, host, template, _follow)
    for device in devices:
        outcome = outcomes[device.serial]
        if isinstance(outcome, Exception):
            _not_started(device, outcome, warm=template is not None)
            continue
        device.boot_id = outcome.identity.boot_id
        device.pid = outcome.identity.pid
        device.start_time = outcome.identity.start_time
        device.command_line = outcome.command_line
        device.forked = outcome.forked
        started.append(device)
    log.info("%d started in %.0f ms", len(started), 1000 * (time.monotonic() - began))
    if template is not None:
        architecture = devices[0].firmware.architecture
        templates.clones_became(host.name, architecture, template, list(outcomes.values()))
    if started:
        _record(host, started)
    return len(started)


def _follow(serial: str) -> None:
    """Record its console from its first word on."""
    with contextlib.suppress(BadSerial):  # it is not started either, and that is said
        consoles.unfollow(serial)  # one that was on before: its new console, and at once
        consoles.follow(serial)


def _not_started(device: Device, error: Exception, *, warm: bool) -> None:
    """A clone that does not wake is tried cold: it may be the template's fault or its own."""
    log.warning("%s could not be started: %s", device.serial, error)
    consoles.unfollow(device.serial)
    if warm:
        transitions.move(
            [device.id], old=State.SPAWNING, new=State.REQUESTED, start=Device.Start.COLD,
            reason=f"It did not wake, and is started cold: {error}",
        )
    else:
        # what has a disk to lose is not given up for a start that did not work
        off = starting.has_disk(device) and not isinstance(error, DiskMissing)
        transitions.move(
            [device.id], old=State.SPAWNING, new=State.OFF if off else State.FAILED,
            reason=f"Not started: {error}",
        )


def _record(host: Host, started: Sequence[Device]) -> None:
    """Write down the guests of devices, and end those that nobody wants any more."""
    merging.note_started(len(started))
    with transaction.atomic():
        _write_processes(started)
        booting = transitions.move(
            [d.id for d in started], old=State.SPAWNING, new=State.BOOTING,
            spawned_at=timezone.now(),
        )
    wanted = {d.id for d in booting}
    if len(wanted) < len(started):  # some have reported already, some nobody wants
        wanted = set(
            Device.objects.filter(id__in=[d.id for d in started], state__in=guests.EXITABLE)
            .values_list("id", flat=True)
        )
    bus.publish_guests(
        host.name,
        started=[
            (d.serial, d.slot, d.boot_id, d.pid, d.start_time) for d in started if d.id in wanted
        ],
    )
    # removed or failed while it was being started: reaping and sweeping know its folder
    unwanted = [d for d in started if d.id not in wanted]
    end_all(
        [ProcessIdentity(d.boot_id, d.pid or 0, d.start_time or 0) for d in unwanted],
        deadline_s=10.0,
    )


def _write_processes(started: Sequence[Device]) -> None:
    """Write each device's process; a prepared statement costs a tenth of Django's bulk_update."""
    table = connection.ops.quote_name(Device._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET boot_id = %s, pid = %s, start_time = %s, command_line = %s,"
            " forked = %s WHERE id = %s",
            [
                (d.boot_id, d.pid, d.start_time, json.dumps(d.command_line), d.forked, d.id)
                for d in started
            ],
        )
