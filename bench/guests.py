"""The guests of this machine, by their records."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from bench import processes
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity

DEVICES = "fd-*"


def running(var: Path) -> dict[str, ProcessIdentity]:
    """The devices' guests that run, by serial; what belongs to a template is left out."""
    found = {}
    for folder in sorted((var / "guests").glob(DEVICES)):
        identity = GuestFolder(folder).read_process()
        if identity is not None and identity.is_alive():
            found[folder.name] = identity
    return found


def templates(var: Path) -> list[ProcessIdentity]:
    """Guests that are no device: templates that run for others to start from."""
    found = []
    for folder in (var / "guests").iterdir():
        identity = None if folder.match(DEVICES) else GuestFolder(folder).read_process()
        if identity is not None and identity.is_alive():
            found.append(identity)
    return found


def recorded(var: Path) -> list[int]:
    """The process numbers of the devices' guests that run."""
    return [identity.pid for identity in running(var).values()]


def folders(var: Path) -> int:
    """How many devices have a folder."""
    return sum(1 for _ in (var / "guests").glob(DEVICES))


def wait_until_gone(identities: Iterable[ProcessIdentity], deadline_s: float) -> float | None:
    """Seconds until none of them runs; None when the deadline is over."""
    began = time.monotonic()
    # all must end, so one after the other is as good as all at once, and asks far less
    for identity in identities:
        while identity.is_alive():
            if time.monotonic() - began > deadline_s:
                return None
            time.sleep(0.02)
    return time.monotonic() - began


def memory_kib(pids: Iterable[int]) -> list[int]:
    """PSS + SwapPss of each process that still runs."""
    found = []
    for pid in pids:
        try:
            found.append(processes.pss_kib(pid))
        except OSError:
            continue
    return found


def cpu_s(pids: Iterable[int]) -> dict[int, float]:
    """CPU seconds of each process that still runs."""
    found = {}
    for pid in pids:
        try:
            found[pid] = processes.cpu_s(pid)
        except OSError:
            continue
    return found
