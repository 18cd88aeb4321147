"""`bin/bench faults`: every process of ours is killed while devices start; is any device lost?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench import fleet, guests, processes
from bench.errors import BenchError
from bench.findings import Findings
from bench.fleet import RunningFleet
from devices.qemu.errors import ProcessGone
from devices.qemu.process_identity import ProcessIdentity

# the worker first, for it is the one that starts devices; the supervisor last
ORDER = (
    "worker", "gateway", "poller", "web", "redis", "control", "beat", "watchdog", "supervisord",
)  # fmt: skip
DEADLINE_S = 180.0
_SIGKILL = 9


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How many are online before, how many are asked for, and how long until the next kill."""

    online: int
    starting: int
    every_s: float = 1.0


def run(findings: Findings, wish: Wish) -> None:
    """Kill by recorded ids; those online must keep their guests, and all come online."""
    running = fleet.find()
    running.wait_for_template()
    try:
        running.operate("add", wish.online)
        before = guests.running(running.var)
        running.begin("add", wish.starting)
        killed = {}
        for name in ORDER:
            killed[name] = _kill(running, name)
            time.sleep(wish.every_s)
        findings.values["killed"] = killed
        last = time.monotonic()
        online = _wait_for(running, wish.online + wish.starting)
        took_s = time.monotonic() - last
        after = guests.running(running.var)
        kept = sum(1 for serial, identity in before.items() if after.get(serial) == identity)
        findings.values |= {"online": online, "kept": kept, "seconds_after_last": round(took_s, 1)}
        for name, pid in killed.items():
            if pid is None:
                findings.problem(f"{name} had no process to kill")
        if online < wish.online + wish.starting:
            findings.problem(f"{online} of {wish.online + wish.starting} devices are online")
        if kept < len(before):
            findings.problem(f"{len(before) - kept} devices that were online lost their guest")
        findings.row(
            f"`kill -9` of each of {len(ORDER)} processes in turn, {wish.online} online and "
            f"{wish.starting} starting",
            f"**{online} online** {took_s:.1f} s after the last kill; {kept} of {wish.online} kept "
            "their guests",
            reach="none lost",
        )
    finally:
        _wait_for(running, 0, deadline_s=30)
        running.empty()


def _kill(running: RunningFleet, name: str) -> int | None:
    """End a process at once; its number, None when it was not there to be killed."""
    until = time.monotonic() + 30
    while time.monotonic() < until:  # the supervisor may just be starting it again
        pid = processes.recorded(running.var).get(name)
        if pid is not None:
            try:
                ProcessIdentity.of(pid).signal(_SIGKILL)
            except ProcessGone:
                pid = None
        if pid is not None:
            return pid
        time.sleep(0.1)
    return None


def _wait_for(running: RunningFleet, online: int, deadline_s: float = DEADLINE_S) -> int:
    """How many are online, at once when that is enough, else after the deadline."""
    until = time.monotonic() + deadline_s
    found = 0
    while time.monotonic() < until:
        try:
            found = int(running.get("summary")["counts"]["online"])
        except BenchError:  # web is one of those that were killed
            time.sleep(0.2)
            continue
        if found >= online:
            break
        time.sleep(0.2)
    return found
