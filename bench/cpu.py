"""Where the machine's CPU time went: guests, our processes, the merging of memory, the browser."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench import fleet, guests, processes
from devices.qemu.cgroup import hierarchies
from fleetdash.deploy import installation

# every group of a reading but those of our processes, which carry their own names
TOTAL = "total"
GUESTS = "guests"
KSMD = "ksmd"
BROWSER = "browser"
BENCH = "bench"
OTHERS = (TOTAL, GUESTS, KSMD, BROWSER, BENCH)


class Meter:
    """Reads CPU seconds by group; `browser` are the processes a browser was started as."""

    def __init__(self, var: Path, browser: Iterable[int] = ()) -> None:
        self._var = var
        self._browser = list(browser)
        self._ksmd = kernel_thread("ksmd")
        self._seen: dict[int, float] = {}
        self._guests_s = 0.0
        self._group = _guests_group(var)

    def read(self) -> dict[str, float]:
        """CPU seconds so far by group; only differences mean something."""
        found = {TOTAL: busy_s(), GUESTS: self._guests(), BENCH: processes.cpu_s(os.getpid())}
        if self._ksmd is not None:
            found[KSMD] = processes.cpu_s(self._ksmd)
        if self._browser:
            found[BROWSER] = sum(guests.cpu_s(processes.tree(self._browser)).values())
        for name, pid in processes.recorded(self._var).items():
            for used_s in guests.cpu_s([pid]).values():
                found[name] = used_s
        return found

    def _guests(self) -> float:
        """By their control group, in one read; one by one where they have none."""
        if self._group is not None:
            for line in (self._group / "cpu.stat").read_text().splitlines():
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
        now = guests.cpu_s(
            each.pid for each in (*guests.running(self._var).values(), *guests.templates(self._var))
        )
        self._guests_s += sum(max(0.0, s - self._seen.get(pid, 0.0)) for pid, s in now.items())
        self._seen = now
        return self._guests_s


def control_plane(groups: Mapping[str, float]) -> float:
    """The share of web, gateway, worker, control, poller and Redis."""
    return sum(groups.get(name, 0.0) for name in processes.CONTROL_PLANE)


def all_of_ours(groups: Mapping[str, float]) -> float:
    """The share of every process of ours, supervisor, beat and watchdog included."""
    return sum(value for name, value in groups.items() if name not in OTHERS)


def percent(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float
) -> dict[str, float]:
    """Per cent of one core by group between two readings; a process started since is left out."""
    return {
        name: 100 * (after[name] - before[name]) / max(seconds, 1e-6)
        for name in after
        if name in before
    }


def busy_s() -> float:
    """CPU seconds all cores have been busy; what a hypervisor stole is not counted."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / processes.TICKS_PER_S


def guests_in_group(var: Path) -> int:
    """How many processes the guests' control group holds, templates included."""
    group = _guests_group(var)
    return 0 if group is None else len((group / "cgroup.procs").read_text().split())


def kernel_thread(name: str) -> int | None:
    """The process number of a kernel thread, or None."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                pid, rest = Path(f"/proc/{entry}/stat").read_text().split(" ", 1)
            except OSError:
                continue
            if rest.startswith(f"({name}) ") and rest.split()[2] in {"0", "2"}:
                return int(pid)
    return None


def _guests_group(var: Path) -> Path | None:
    """The guests' control group, where it counts CPU time (version 2)."""
    name = installation.here(fleet.CHECKOUT, var).namespace_name
    for root in hierarchies(Path("/proc/self/mountinfo").read_text()):
        if (root / name / "cpu.stat").exists():
            return root / name
    return None
