"""Stops what bin/up started, each process by its record."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from devices.host import kernel_settings, ksm_control
from devices.host.errors import CannotSet
from devices.qemu import confinement
from devices.qemu.errors import QemuError
from fleetdash.deploy import (
    database,
    guests,
    lock,
    place,
    records,
    starts,
    supervision,
    swap,
)
from fleetdash.deploy.errors import DeployError, sentence_of
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress

DEADLINE_S = 40.0
BY_SOMEBODY_ELSE = "fleetdash was stopped, or started anew, by somebody else."
CGROUP_EMPTY_WITHIN_S = 3.0


def stop(here: Installation, progress: Progress, *, keep_guests: bool, start: str = "") -> None:
    """End supervisor, processes and, unless they are kept, guests; put back what was changed.

    Nothing running is no error. Given a `start`, it stops that one only. Raises DeployError: at
    once when a process of ours survives, else the first thing that went wrong, when all is done.
    """
    if not here.run.is_dir():
        progress.line("Nothing was ever started here.")
        return
    with lock.held(here.var):
        if start and starts.is_over(here.run, start):
            progress.line(BY_SOMEBODY_ELSE)
            return
        starts.stop_restarting(here.run)
        with progress.step("Supervisor and processes"):
            _end_processes(here)
        _stop_the_rest(here, progress, keep_guests=keep_guests)


def _stop_the_rest(here: Installation, progress: Progress, *, keep_guests: bool) -> None:
    problems: list[DeployError] = []
    with _kept(problems):
        _end_unfinished(here)
    if keep_guests:
        kept = len(guests.of_devices(here.var))
        which = "1 guest runs on and is" if kept == 1 else f"{kept} guests run on and are"
        progress.line(f"  {which} adopted by the next bin/up")
    else:
        with _kept(problems), progress.step("Guests"):
            _end_guests(here)
        with _kept(problems):
            _tell_database(here, progress)
        with _kept(problems):
            _forget_host(here)
        with _kept(problems):
            swap.take_away(here, progress)
    with _kept(problems):
        problem = ksm_control.restore().problem
        if problem:
            progress.line(f"  {problem}")
    _put_settings_back(here, progress)
    _forget_seen_folders(here)
    if problems:
        raise problems[0]


@contextlib.contextmanager
def _kept(problems: list[DeployError]) -> Iterator[None]:
    """What goes wrong is kept for later, so that the rest is stopped and put back."""
    try:
        yield
    except DeployError as error:
        problems.append(error)
    except OSError as error:
        problems.append(DeployError(sentence_of(error)))


def _end_unfinished(here: Installation) -> None:
    unfinished = guests.end_unfinished(here.var)
    if unfinished:
        raise DeployError(f"A trial guest (process {unfinished[0].pid}) did not end.")


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


def _tell_database(here: Installation, progress: Progress) -> None:
    """That the devices are gone; where it cannot be told now, the next bin/up does."""
    if not guests.are_ended(here.var):
        return
    database_file = here.var / "db" / "fleetdash.sqlite3"
    if database_file.exists() or os.environ.get("DATABASE_URL"):
        try:
            answer = database.ask("gone", {}, place=place.of(here))
        except DeployError as error:
            raise DeployError(
                f"{error}\nAll guests have ended; the next bin/up says of their devices that they "
                "are gone."
            ) from None
        if answer["waits"]:
            progress.line(
                "  the database is of an earlier version; the next bin/up says in it that the "
                "devices are gone"
            )
            return
    guests.gone_is_told(here.var)


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
