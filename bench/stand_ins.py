"""Stand-ins for devices: a row, a sleeping process and a console socket each, no guest.

A load generator for the control plane alone. They are made only in a fleet that the bench has
started for itself (`bench.control_plane`), never in one that shows devices to people.
"""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from devices.models import Device, Event, Firmware, Host, Operation, Target
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.unix_socket import listen
from devices.services import bus
from devices.states import State

STARTED = (State.REQUESTED, State.SPAWNING, State.BOOTING)


@dataclass(frozen=True)
class StandIn:
    """One of them: what its row knows, and the socket its console is read from."""

    serial: str
    secret: str
    identity: ProcessIdentity
    console: socket.socket


def make(count: int, guests: Path) -> list[StandIn]:
    """That many stand-ins that look started and have yet to report, with their history.

    Their processes are children of the caller, reaped by the kernel.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    aside = guests.with_name("stand-ins")
    made = [_process(f"fd-{number:06d}", aside) for number in range(1, count + 1)]
    # the worker ends guests it finds without a row: folders and rows come at the same moment
    with transaction.atomic():
        _rows(made)
        for each in made:
            (aside / each.serial).rename(guests / each.serial)
    return made


def _process(serial: str, guests: Path) -> StandIn:
    child = subprocess.Popen(
        ["sleep", "infinity"], start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    identity = ProcessIdentity.of(child.pid)
    child.returncode = 0  # nobody waits for it here
    folder = GuestFolder(guests / serial)
    folder.create()
    folder.process.write_text(f"{identity.boot_id} {identity.pid} {identity.start_time}\n")
    folder.log.touch()
    folder.overlay.write_bytes(bytes(4096))
    return StandIn(serial, secrets.token_urlsafe(32), identity, listen(folder.console_socket))


def _rows(made: list[StandIn]) -> None:
    host, firmware, now = Host.objects.get(), Firmware.objects.all()[0], timezone.now()
    devices = Device.objects.bulk_create(
        Device(
            serial=each.serial, slot=slot, host=host, firmware=firmware, start=Device.Start.WARM,
            state=State.BOOTING, state_since=now, secret=each.secret, attempts=1,
            boot_id=each.identity.boot_id, pid=each.identity.pid,
            start_time=each.identity.start_time, command_line=["sleep", "infinity"] * 30,
            requested_at=now, spawned_at=now,
        )
        for slot, each in enumerate(made)
    )
    operation = Operation.objects.create(
        kind=Operation.Kind.ADD, count=len(made), created_at=now
    )
    Target.objects.bulk_create(Target(operation=operation, device=device) for device in devices)
    Event.objects.bulk_create(
        Event(at=now, device=device, from_state=was, to_state=state)
        for was, state in zip(("", *STARTED), STARTED, strict=False) for device in devices
    )
    changes = [(device.slot or 0, str(State.BOOTING)) for device in devices]
    started = [
        (each.serial, slot, each.identity.boot_id, each.identity.pid, each.identity.start_time)
        for slot, each in enumerate(made)
    ]

    def publish() -> None:
        bus.publish_changes(changes, [operation.id])
        bus.publish_guests(host.name, started=started)

    transaction.on_commit(publish)
