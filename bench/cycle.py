"""`bin/bench cycle`: N devices, none, N again, none: does anything stay behind?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from bench import cpu, fleet, guests, processes
from bench.figures import rounded
from bench.findings import Findings
from bench.fleet import RunningFleet
from bench.presence import Presence
from bench.sampling import host_now
from devices.states import LIVING

GONE_DEADLINE_S = 120.0
# what our processes keep for the next fleet of the same size is no leak; what grows each time is
FILES_SLACK = 16
PSS_SLACK_MIB = 24.0
AVAILABLE_SLACK_MIB = 192.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How many devices, how often, and how long to wait before looking."""

    count: int
    rounds: int = 2
    calm_s: float = 20.0


def run(findings: Findings, wish: Wish) -> None:
    """Look at the empty fleet, then after each round; the rounds are compared with each other."""
    running = fleet.find()
    running.wait_for_template()
    looks: dict[str, Any] = {}
    findings.values["looks"] = looks
    try:
        time.sleep(wish.calm_s)
        looks["empty"] = look(running)
        for number in range(1, wish.rounds + 1):
            added = running.operate("add", wish.count)
            if added["done"] < wish.count:
                findings.problem(
                    f"round {number}: {added['done']} of {wish.count} devices came online"
                )
            looks[f"full_{number}"] = {
                **look(running), "seconds_to_online": round(added["seconds"], 1)
            }
            left = guests.running(running.var).values()
            begun = running.begin("remove", fleet.MOST)
            gone_s = guests.wait_until_gone(left, GONE_DEADLINE_S)
            running.wait(begun)
            time.sleep(wish.calm_s)
            looks[f"empty_{number}"] = {
                **look(running), "seconds_to_no_process": rounded(gone_s)
            }  # fmt: skip
    finally:
        running.empty()
    for sentence in leaks(looks, wish.rounds):
        findings.problem(sentence)
    verdict = "no leak" if not findings.problems else "; ".join(findings.problems)
    findings.row(
        f"{wish.count:,} devices, none, {wish.count:,} again, none: processes, files, sockets, "
        "living rows, folders and memory of ours compared",
        f"**{verdict}**",
        reach="no leak",
    )


def look(running: RunningFleet) -> dict[str, Any]:
    """All that could leak."""
    ours = processes.recorded(running.var)
    counts = running.get("summary")["counts"]
    files = {name: processes.open_files(pid) for name, pid in ours.items()}
    pss = {name: round(processes.pss_kib(pid) / 1024, 1) for name, pid in ours.items()}
    return {
        "guests": len(guests.running(running.var)),
        "in_the_control_group": cpu.guests_in_group(running.var),
        "folders": guests.folders(running.var),
        "presence_without_a_guest": _stale(running),
        "living_rows": sum(counts[state] for state in LIVING),
        "processes": dict(ours),
        "files": {name: each["files"] for name, each in files.items()},
        "sockets": {name: each["sockets"] for name, each in files.items()},
        "pss_mib": pss,
        "pss_mib_in_all": round(sum(pss.values()), 1),
        "available_mib": host_now()["available_mib"],
    }


def _stale(running: RunningFleet) -> int:
    presence = Presence(running.var)
    try:
        return presence.look().stale
    finally:
        presence.close()


def leaks(looks: dict[str, Any], rounds: int) -> list[str]:
    """What was left after the rounds, as sentences; none is good.

    Guests, folders and rows must be none after each round. Files, sockets and memory are compared
    between the first and the last round: what a first fleet makes our processes keep is not lost.
    """
    found = []
    for number in range(1, rounds + 1):
        after = looks[f"empty_{number}"]
        for what in ("guests", "folders", "living_rows"):
            if after[what]:
                found.append(f"after round {number} {after[what]} {what} are left")
        if after["in_the_control_group"] > looks["empty"]["in_the_control_group"]:
            found.append(
                f"after round {number} the guests' control group holds "
                f"{after['in_the_control_group']} processes, before it held "
                f"{looks['empty']['in_the_control_group']}"
            )
    first, last = looks["empty_1"], looks[f"empty_{rounds}"]
    for name, pid in last["processes"].items():
        if first["processes"].get(name) != pid:
            found.append(f"{name} is another process than after the first round")
            continue
        for what in ("files", "sockets"):
            grown = last[what][name] - first[what][name]
            if grown > FILES_SLACK:
                found.append(f"{name} has {grown} more {what} open than after the first round")
        grown_mib = last["pss_mib"][name] - first["pss_mib"][name]
        if grown_mib > PSS_SLACK_MIB:
            found.append(f"{name} takes {grown_mib:.0f} MiB more than after the first round")
    lost_mib = first["available_mib"] - last["available_mib"]
    if lost_mib > AVAILABLE_SLACK_MIB:
        found.append(f"{lost_mib:.0f} MiB less are available than after the first round")
    return found
