"""Guests as `bin/up` and `bin/down` meet them: recorded processes in `var/guests`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devices.qemu.guest_folder import NO_DEVICES, GuestFolder
from devices.qemu.process_identity import ProcessIdentity, end_all

END_DEADLINE_S = 20.0
# lies in `var` from the end of all guests until the database says that their devices are gone
_ENDED = "guests-ended"


def recorded(var: Path) -> list[ProcessIdentity]:
    """The processes of all guests that have a folder, running or not."""
    try:
        folders = sorted(var.joinpath("guests").iterdir())
    except FileNotFoundError:
        return []
    found = (GuestFolder(folder).read_process() for folder in folders)
    return [identity for identity in found if identity]


def running(var: Path) -> list[ProcessIdentity]:
    """The guests that run."""
    return [identity for identity in recorded(var) if identity.is_alive()]


def of_devices(var: Path) -> list[ProcessIdentity]:
    """The guests that run and are devices."""
    folders = [GuestFolder(each.parent) for each in var.glob("guests/*/process")]
    found = [each.read_process() for each in folders if each.path.name not in NO_DEVICES]
    return [identity for identity in found if identity and identity.is_alive()]


def on_this_loopback(var: Path) -> list[ProcessIdentity]:
    """The guests of devices that run and, without a network of their own, call this machine."""
    ours = _network("self")
    return [each for each in of_devices(var) if _network(each.pid) == ours]


def _network(pid: int | str) -> int:
    """A process's network (namespaces(7)), 0 where that cannot be known, as when it has ended."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def has_devices(var: Path) -> bool:
    """Whether the database has to know devices of this folder: they have disks here, or it has
    yet to be told that they are gone."""
    disks = var.glob("guests/*/overlay.qcow2")
    return are_ended(var) or any(each.parent.name not in NO_DEVICES for each in disks)


def end_unfinished(var: Path) -> list[ProcessIdentity]:
    """End guests that prove an accelerator for a bin/up that has ended.

    Gives those that survived.
    """
    folders = [GuestFolder(each.parent) for each in var.glob("run/proof-*/process")]
    processes = [identity for each in folders if (identity := each.read_process())]
    survivors = end_all(
        [each for each in processes if each.is_alive()], deadline_s=END_DEADLINE_S, grace_s=1.0
    )
    for folder in folders:
        if folder.read_process() not in survivors:
            folder.remove()
    return survivors


def end_everyone(var: Path) -> list[ProcessIdentity]:
    """End all guests and remove their folders; gives those that survived.

    Without survivors `are_ended` holds from then on.
    """
    survivors = end_all(running(var), deadline_s=END_DEADLINE_S, grace_s=1.0)
    if not survivors:
        (var / _ENDED).touch()
        for folder in var.joinpath("guests").glob("*/"):
            shutil.rmtree(folder, ignore_errors=True)
    return survivors


def are_ended(var: Path) -> bool:
    """Whether all guests were ended and the database may not know that their devices are gone."""
    return (var / _ENDED).exists()


def gone_is_told(var: Path) -> None:
    """The database knows."""
    (var / _ENDED).unlink(missing_ok=True)
