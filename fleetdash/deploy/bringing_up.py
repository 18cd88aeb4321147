"""The first half of bin/up, on the machine itself; `inside` is the second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from fleetdash.deploy import (
    cli_file,
    fingerprint,
    folders,
    given,
    guests,
    host_preparation,
    lock,
    place,
    ports,
    readable,
    records,
    redis_conf,
    starts,
    supervision,
    swap,
    waiting,
)
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import NAMESPACE_VARIABLE, USERS_VARIABLE, Installation
from fleetdash.deploy.place import Place
from fleetdash.deploy.progress import Progress

SUPERVISOR_DEADLINE_S = 30.0
ANSWER_WITHIN_S = 15.0


def runs(here: Installation) -> bool:
    """Whether a supervisor runs, answers and is not about to end."""
    stopping = starts.is_stopping(here.run)
    return not stopping and supervision.answers(here.run, within_s=ANSWER_WITHIN_S)


def complete(here: Installation, progress: Progress, lock_fd: int) -> None:
    """Make sure that a fleet which runs is whole; raises DeployError, or exits as `inside` did.

    A start that was interrupted, or took too long, is gone on with where it ended.
    """
    if starts.is_finished(here.run) and cli_file.read(here.var).token:
        waiting.until_steady(here.var, supervision.states(here.run))
    else:
        progress.line("fleetdash runs, and an earlier bin/up did not come to its end:")
        there = place.of(here)
        given.restore(here.var, there.environment)
        _run_inside(here, there, lock_fd, "--complete")
    progress.line(f"fleetdash runs already: {cli_file.read(here.var).url}")


def bring_up(here: Installation, progress: Progress, zram_bytes: int | None, lock_fd: int) -> str:
    """Everything up to the printed address, with a swap of that size; gives the start's name.

    Raises DeployError, or exits as `inside` did.
    """
    began = time.monotonic()
    as_root = os.geteuid() == 0
    progress.line(f"fleetdash starts in {here.checkout}")
    given.check(here.var, settings.HOST_NAME)
    values = fingerprint.settings()
    here.run.mkdir(parents=True, exist_ok=True)
    starts.stop_restarting(here.run)
    _end_leftovers(here)
    with progress.step("Free ports"):
        orphans = [record for record in records.recorded(here.run) if record.is_alive()]
        ports.check(ours={record.pid for record in orphans})
    with progress.step("Users, network namespace, control group"):
        prepared = host_preparation.prepare(here)
        if NAMESPACE_VARIABLE not in prepared.environment or guests.on_this_loopback(here.var):
            ports.check_loopback()
    with progress.step("Folders and secrets"):
        folders.make(here.var, as_root=as_root)
        folders.make_secret_key(here.var, as_root=as_root)
        if prepared.environment.get(USERS_VARIABLE):
            readable.check(here.checkout)
        _check_socket_path(prepared)
        given.write(here.var, settings.HOST_NAME)
        start = starts.begin(here.run)
        fingerprint.write(here, values)
    swap.offer(here, progress, zram_bytes)
    if orphans:
        progress.line(f"  ({len(orphans)} processes of a supervisor that was killed are replaced)")
    _run_inside(here, prepared, lock_fd)
    if prepared.missing_protections:
        progress.line("\nWithout these protections:")
        for sentence in prepared.missing_protections:
            progress.line(f"  - {sentence}")
    progress.line(f"\nUp after {time.monotonic() - began:.0f} s: {cli_file.read(here.var).url}")
    return start


def _run_inside(here: Installation, there: Place, lock_fd: int, *arguments: str) -> None:
    """Should this process be killed, the other goes on, and so holds the lock as well."""
    inside = subprocess.run(
        [*there.words, there.python, "-m", "fleetdash.deploy.inside", *arguments],
        env={**there.environment, lock.VARIABLE: str(lock_fd)},
        cwd=here.checkout,
        pass_fds=[lock_fd],
        check=False,
    )
    if inside.returncode != 0:
        sys.exit(inside.returncode)


def _check_socket_path(prepared: Place) -> None:
    folder = Path(prepared.environment["FLEETDASH_VAR"])
    if not redis_conf.socket_path_fits(folder):
        raise DeployError(
            f"{folder} is too long a path for the sockets in it; choose a shorter one with "
            "FLEETDASH_VAR."
        )


def _end_leftovers(here: Installation) -> None:
    """What hangs, or was interrupted, and would be in the way.

    A supervisor that neither answers nor ends would start everything twice.
    """
    silent = supervision.living(here.run)
    if silent is not None and records.end([silent], deadline_s=SUPERVISOR_DEADLINE_S):
        raise DeployError(f"The supervisor (process {silent.pid}) hangs and cannot be ended.")
    unfinished = guests.end_unfinished(here.var)
    if unfinished:
        raise DeployError(
            f"A guest of an earlier bin/up (process {unfinished[0].pid}) cannot be ended."
        )
