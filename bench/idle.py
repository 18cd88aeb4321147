"""`bin/bench idle`: what the control plane and idle devices cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from bench import browser, cpu, fleet, guests, processes, settling
from bench.figures import percentile, rounded
from bench.findings import Findings
from bench.fleet import RunningFleet
from bench.presence import Presence
from bench.sampling import host_now
from devices.host import ksm, zram

HEARD_WITHIN_S = 60.0
MOST_OFTEN_ASKED_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to measure; `as_is` takes the fleet as it stands and leaves it so."""

    count: int
    seconds: float
    page_password: str | None = None
    as_is: bool = False
    settle_least_s: float = 20.0
    settle_most_s: float = 300.0


def run(findings: Findings, wish: Wish) -> None:
    """CPU in per cent of one core, memory in MiB, of each of our processes and a mean device."""
    running = fleet.find()
    if not wish.as_is:
        running.wait_for_template()
    with browser.page(running.url, wish.page_password) as page:
        try:
            if not wish.as_is:
                empty_mib = host_now()["available_mib"]
                added = running.operate("add", wish.count)
                if added["done"] < wish.count:
                    findings.problem(f"{added['done']} of {wish.count} devices came online")
                findings.values["available_mib_when_empty"] = empty_mib
            findings.values["settled_after_s"] = settling.wait(
                wish.settle_least_s,
                wish.settle_most_s,
                merging=lambda: settling.fleet_merges(running),
            )
            pids = page.pids if page else []
            measure(findings, running, seconds=wish.seconds, browser_pids=pids)
        finally:
            if not wish.as_is:
                running.empty()


def measure(
    findings: Findings, running: RunningFleet, *, seconds: float, browser_pids: list[int]
) -> None:
    """Measure what is there for `seconds`, during which nothing is asked of the fleet."""
    devices = guests.recorded(running.var)
    meter = cpu.Meter(running.var, browser_pids)
    presence = Presence(running.var)
    each_before, before, began = guests.cpu_s(devices), meter.read(), time.monotonic()
    oldest_s = _watch(presence, seconds)
    each_after, after = guests.cpu_s(devices), meter.read()
    took_s = time.monotonic() - began
    groups = cpu.percent(before, after, took_s)
    each = [
        100 * (used_s - each_before[pid]) / took_s
        for pid, used_s in each_after.items() if pid in each_before
    ]  # fmt: skip
    online = running.get("summary")["online"]
    heard = presence.look()
    presence.close()
    findings.values["devices"] = {
        "running": len(each),
        "online": online,
        "heard_from_in_the_last_60_s": heard.in_last_minute,
        "longest_silence_s": oldest_s,
        "cpu_percent_mean": rounded(sum(each) / max(1, len(each)), 4),
        "cpu_percent_p95": rounded(percentile(each, 0.95), 4),
        **_memory(running, devices),
    }
    plane, ours = cpu.control_plane(groups), cpu.all_of_ours(groups)
    findings.values["cpu_percent_of_a_core"] = {
        "seconds": round(took_s, 1),
        "page_open": bool(browser_pids),
        **{name: round(value, 2) for name, value in sorted(groups.items())},
        "control_plane": round(plane, 2),
        "all_of_ours": round(ours, 2),
    }
    memory = {n: processes.pss_kib(p) / 1024 for n, p in processes.recorded(running.var).items()}
    findings.values["our_pss_mib"] = {
        **{name: round(value, 1) for name, value in memory.items()},
        "in_all": round(sum(memory.values()), 1),
    }
    findings.values["host"] = {**host_now(), **_merging()}
    _rows(findings, plane=plane, ours=ours, groups=groups, oldest_s=oldest_s)
    if heard.in_last_minute < online or oldest_s > HEARD_WITHIN_S:
        findings.problem(
            f"{heard.in_last_minute} of {online} devices were heard from in the last minute, "
            f"the most silent {oldest_s:.0f} s ago"
        )


def _watch(presence: Presence, seconds: float) -> float:
    """Wait; the longest any device was silent meanwhile, in seconds."""
    until = time.monotonic() + seconds
    oldest_s = presence.look().oldest_s
    while (left_s := until - time.monotonic()) > 0:
        time.sleep(min(MOST_OFTEN_ASKED_S, left_s))
        oldest_s = max(oldest_s, presence.look().oldest_s)
    return round(oldest_s, 1)


def _memory(running: RunningFleet, devices: list[int]) -> dict[str, Any]:
    began = time.monotonic()
    kib = guests.memory_kib(devices)
    shared = guests.memory_kib(each.pid for each in guests.templates(running.var))
    return {
        "pss_swap_mib_mean": rounded(sum(kib) / 1024 / max(1, len(kib))),
        "pss_swap_mib_p95": rounded((percentile(kib, 0.95) or 0) / 1024),
        "pss_swap_mib_in_all": rounded(sum(kib) / 1024, 0),
        "templates_that_run_pss_mib": rounded(sum(shared) / 1024, 1),
        "reading_it_took_s": rounded(time.monotonic() - began, 1),
    }


def _merging() -> dict[str, Any]:
    merged, swaps = ksm.read(), zram.read()
    return {
        "ksm": None if merged is None else asdict(merged),
        "zram": None if swaps is None else {each.name: asdict(each) for each in swaps},
    }


def _rows(
    findings: Findings, *, plane: float, ours: float, groups: dict[str, float], oldest_s: float
) -> None:
    devices = findings.values["devices"]
    n = devices["running"]
    parts = ", ".join(
        f"{name} {groups[name]:.1f}" for name in processes.CONTROL_PLANE if name in groups
    )
    page = ", page open" if findings.values["cpu_percent_of_a_core"]["page_open"] else ""
    findings.row(
        f"PSS + SwapPss a device, settled, mean over all {n:,}",
        f"**{devices['pss_swap_mib_mean']:.1f} MiB**", reach="18 MiB", aim="11 MiB",
    )  # fmt: skip
    findings.row(
        f"idle CPU a device, heartbeats included, {n:,} devices",
        f"**{devices['cpu_percent_mean']:.3f} %** of a core", reach="0.08 %", aim="0.03 %",
    )  # fmt: skip
    findings.row(
        f"control plane at {n:,} idle devices{page}",
        f"**{plane:.1f} %** of a core ({parts}); {ours:.1f} % with supervisor, beat and watchdog",
        reach="15 %", aim="7 %",
    )  # fmt: skip
    findings.row(
        f"longest silence of any of {n:,} devices",
        f"**{oldest_s:.0f} s**; {devices['heard_from_in_the_last_60_s']:,} heard from in the last "
        "60 s",
        reach="60 s",
    )
