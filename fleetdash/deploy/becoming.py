"""Becomes one of our processes: ends a predecessor, records itself, opens sockets, drops root."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

from django.conf import settings

from fleetdash.deploy import installation, processes, records, sockets, users
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.run import BACK_OFF_S

# half of it passes before SIGKILL; what a task left half done is done again by the next round
PREDECESSOR_DEADLINE_S = 5.0
LEAST_OPEN_FILES = 65536


def pause_s(predecessor: records.Record | None, now: float) -> float:
    """How long to wait before starting, in seconds: a process that keeps failing is held back."""
    if predecessor is None:
        return 0.0
    return max(0.0, min(BACK_OFF_S, predecessor.started_at + BACK_OFF_S - now))


def take_over(run: Path, name: str) -> None:
    """End whoever was recorded under this name and still runs, and record this process instead.

    Raises DeployError for one that survives SIGKILL.
    """
    predecessor = records.read(run, name)
    if predecessor and predecessor.pid != os.getpid() and predecessor.is_alive():
        print(f"ending {name} {predecessor.pid}, left by an earlier start", flush=True)
        if records.end([predecessor], deadline_s=PREDECESSOR_DEADLINE_S):
            raise DeployError(
                f"{name} (process {predecessor.pid}) of an earlier start cannot be ended; "
                "it hangs in the kernel."
            )
    time.sleep(pause_s(predecessor, time.time()))
    records.write(run, name, os.getpid())


def _prefer_others_to_be_killed() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(processes.OURS_OOM_SCORE_ADJ))
    except OSError:
        return  # only root may lower it


def _come_before_guests(nice: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        Path("/proc/self/autogroup").write_text(str(processes.OURS_SESSION_NICE))
    except OSError:
        return  # only root may; or a kernel without autogroups


def _raise_open_files() -> None:
    """A thousand guests are as many consoles in the worker, sockets in the gateway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, LEAST_OPEN_FILES) if os.geteuid() == 0 else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def become(name: str) -> None:
    """Turn into the process of this name; raises DeployError, OSError, what settings raise."""
    process = processes.DECLARED.get(name)
    if process is None:
        raise DeployError(f"There is no such process; there are {', '.join(processes.DECLARED)}.")
    take_over(settings.VAR_DIR / "run", name)
    opened = sockets.open_for(process)
    arguments = processes.command(
        process, sys.executable, {each: sock.fileno() for each, sock in opened.items()}
    )
    _prefer_others_to_be_killed()
    _come_before_guests(process.nice)
    _raise_open_files()
    if process.keeps_root:
        os.umask(0o077)
    else:
        os.umask(0o027)
        if os.environ.get(installation.USERS_VARIABLE):
            users.become(installation.FLEET_USER)
    os.execvp(arguments[0], arguments)
