"""Stops what bin/up started, each process by its record."""

from __future__ import annotations

import contextlib
import os
import time

from devices.host import kernel_settings, ksm_control
from devices.host.errors import CannotSet
from devices.qemu import confinement
from devices.qemu.errors import QemuError
from fleetdash.deploy import database, guests, place, records, supervision, swap
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress

# while it is there, nobody starts the supervisor again
MARKER = "stopping"
DEADLINE_S = 40.0
CGROUP_EMPTY_WITHIN_S = 3.0


def stop(here: Installation, progress: Progress, *, keep_guests: bool) -> None:
    """End supervisor, processes and, unless they are kept, guests; raises DeployError.

    Nothing running is no error.
    """
    if not here.run.is_dir():
        progress.line("Nothing was ever started here.")
        return
    (here.run / MARKER).touch()
    with progress.step("Supervisor and processes"):
        _end_processes(here)
        unfinished = guests.end_unfinished(here.var)
        if unfinished:
            raise DeployError(f"A trial guest (process {unfinished[0].pid}) did not end.")
    if keep_guests:
        kept = len(guests.of_devices(here.var))
        which = "1 guest runs on and is" if kept == 1 else f"{kept} guests run on and are"
        progress.line(f"  {which} adopted by the next bin/up")
    else:
        with progress.step("Guests"):
            _end_guests(here)
        _forget_host(here)
        swap.take_away(here, progress)
    problem = ksm_control.restore().problem
    if problem:
        progress.line(f"  {problem}")
    _put_settings_back(here, progress)
    _forget_seen_folders(here)


def _put_settings_back(here: Installation, progress: Progress) -> None:
    """What people set of the kernel on the host page is what it was before."""
    try:
        names = kernel_settings.release(here.id)
    except (CannotSet, OSError) as error:
        progress.line(f"  {error}")
    else:
        for name in names:
            value = kernel_settings.read(name)
            progress.line(f"  {name.replace('/', '.')} is {value}")


def _end_processes(here: Installation) -> None:
    supervisor = supervision.living(here.run)
    survivors: list[records.Record] = []
    if supervisor is not None:
        survivors += _end_gently(supervisor)
    left = [record for record in records.recorded(here.run) if record.is_alive()]
    survivors += records.end(left, deadline_s=20.0)
    if survivors:
        names = ", ".join(f"{each.name} (process {each.pid})" for each in survivors)
        raise DeployError(f"{names} did not end; look at {here.var}/log, then try again.")
    for record in records.recorded(here.run):
        records.remove(here.run, record.name)


def _end_gently(supervisor: records.Record) -> list[records.Record]:
    """It waits for its programs, so it is given the time they may take."""
    alive = not supervisor.identity.end(DEADLINE_S, grace_s=DEADLINE_S - 5)
    return [supervisor] if alive else []


def _end_guests(here: Installation) -> None:
    survivors = guests.end_everyone(here.var)
    if survivors:
        raise DeployError(
            f"{len(survivors)} guests did not end: processes "
            f"{', '.join(str(each.pid) for each in survivors)}."
        )
    database_file = here.var / "db" / "fleetdash.sqlite3"
    if database_file.exists() or os.environ.get("DATABASE_URL"):
        database.ask("gone", {}, place=place.of(here))


def _forget_host(here: Installation) -> None:
    """What root made for guests; it waits for the last of them to leave the control group."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(QemuError):
        confinement.remove_namespace(here.namespace_name)
    with contextlib.suppress(QemuError):
        group = confinement.ensure_cgroup(here.namespace_name)
        until = time.monotonic() + CGROUP_EMPTY_WITHIN_S
        while group.exists() and time.monotonic() < until:
            confinement.remove_cgroup(group)
            time.sleep(0.02)


def _forget_seen_folders(here: Installation) -> None:
    """Empty mount points; the mounts themselves ended with the last process that saw them."""
    for folder in (here.seen_checkout, here.seen_folder / "var", here.seen_folder):
        with contextlib.suppress(OSError):
            folder.rmdir()
