"""`bin/bench launch`: devices a second from the request to online, beside the raw limit."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import cpu, fleet, guests, raw
from bench.errors import BenchError
from bench.figures import percentile, rate_of_first, rounded
from bench.findings import Findings
from bench.fleet import RunningFleet, moment
from devices.firmware import artifact

FIRST = 200
SCRIPT_WIDTH = 4
GONE_DEADLINE_S = 120.0
RAW_DEADLINE_S = 900.0
# what starting stirred up comes to rest
CALM_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to measure; a `raw` or `script` of 0 leaves that part out."""

    count: int
    start: str = "warm"
    raw: int = FIRST
    widths: Sequence[int] = ()
    script: int = 0
    settle_s: float = 0.0
    calm_s: float = CALM_S

    @property
    def first(self) -> int:
        """Over how many devices the rates are compared: as many as both have."""
        return min(self.raw or FIRST, self.count)


def run(findings: Findings, wish: Wish) -> None:
    """The fleet first, then on the empty machine the bare loop and the script of cold starts."""
    running = fleet.find()
    if wish.start == "warm":
        findings.values["template"] = running.wait_for_template()
    time.sleep(wish.calm_s)
    try:
        after_s = _fleet(findings, running, wish)
    finally:
        _remove(findings, running)
    first = wish.first
    rate = rate_of_first(after_s, first)
    if wish.raw and wish.start == "warm":
        _raw_clones(findings, wish, rate)
    elif wish.raw:
        _raw_cold(findings, running, wish, rate)
    if wish.script:
        _script(findings, running, wish, rate)


def _fleet(findings: Findings, running: RunningFleet, wish: Wish) -> list[float]:
    meter = cpu.Meter(running.var)
    before, began = meter.read(), time.monotonic()
    begun = running.begin("add", wish.count, start=wish.start)
    ended: dict[str, Any] = begun
    try:
        ended = running.wait(begun)
    finally:
        took_s = time.monotonic() - began
        used = cpu.percent(before, meter.read(), 100.0)  # seconds
        after_s = online_after_s(running, begun)
        _say(findings, wish, ended, after_s, took_s, used)
    if wish.settle_s:
        time.sleep(wish.settle_s)
        memory = guests.memory_kib(guests.recorded(running.var))
        if memory:
            findings.values["fleet"]["pss_mib_mean"] = round(statistics.mean(memory) / 1024, 1)
    return after_s


def online_after_s(running: RunningFleet, operation: dict[str, Any]) -> list[float]:
    """Seconds from the request to each of its devices' being online, ascending."""
    asked_at = moment(operation["created_at"])
    online = running.devices(after=operation["created_at"])
    return sorted(moment(d["online_at"]) - asked_at for d in online if d["online_at"] is not None)


def _say(
    findings: Findings, wish: Wish, ended: dict[str, Any], after_s: list[float], took_s: float,
    used: dict[str, float],
) -> None:  # fmt: skip
    online, first = len(after_s), wish.first
    last_s = after_s[-1] if after_s else None
    rate = online / last_s if last_s else None
    findings.values["fleet"] = {
        "asked": wish.count,
        "start": wish.start,
        "state": ended["state"],
        "online": online,
        "failed": ended["failed"],
        "seconds_to_last_online": rounded(last_s),
        "seconds_to_the_end_seen": round(took_s, 2),
        "devices_per_s": rounded(rate),
        f"devices_per_s_first_{first}": rounded(rate_of_first(after_s, first)),
        "p50_s": rounded(percentile(after_s, 0.5)),
        "p95_s": rounded(percentile(after_s, 0.95)),
        "cpu_s_each": {
            name: round(value / max(1, online), 4) for name, value in sorted(used.items()) if value
        },
    }
    if online:
        findings.row(
            f'"+{wish.count:,}" ({wish.start}) to {online:,} online, starting empty',
            f"**{last_s:.1f} s**, {rate:.1f}/s; p50 {percentile(after_s, 0.5):.1f} s, "
            f"p95 {percentile(after_s, 0.95):.1f} s",
            **({"reach": "150 s", "aim": "75 s"} if wish.count == 1000 else {}),
        )
    if online < wish.count:
        findings.problem(f"{online} of {wish.count} devices came online ({ended['state']})")


def _remove(findings: Findings, running: RunningFleet) -> None:
    """Remove all; how long until no process was left."""
    running.stop_adding()
    left = guests.running(running.var).values()
    began = time.monotonic()
    if running.get("summary")["total"]:
        begun = running.begin("remove", fleet.MOST)
        gone_s = guests.wait_until_gone(left, GONE_DEADLINE_S)
        ended = running.wait(begun)
        findings.values["removal"] = {
            "devices": ended["done"],
            "seconds_to_no_process": rounded(gone_s),
            "seconds_to_the_end_seen": round(time.monotonic() - began, 2),
        }
        said = "not all ended" if gone_s is None else f"**{gone_s:.1f} s**"
        findings.row(
            f'"−{ended["done"]:,}" to no process left', said,
            **({"reach": "20 s", "aim": "10 s"} if ended["done"] >= 1000 else {}),
        )


def _raw_clones(findings: Findings, wish: Wish, rate: float | None) -> None:
    count = wish.first
    loops: dict[str, Any] = {}
    findings.values["raw_clone_loop"] = loops
    best = 0.0
    for width in wish.widths or _widths():
        time.sleep(wish.calm_s)
        found = raw_clones(count, width)
        after_s = sorted(found["reported_s"].values())
        raw_rate = rate_of_first(after_s, count)
        waits = [at - found["started_s"][s] for s, at in found["reported_s"].items()]
        loops[f"width_{width}"] = {
            "reported": len(after_s),
            "forked": found["forked"],
            "devices_per_s": rounded(raw_rate),
            "wait_p50_s": rounded(percentile(waits, 0.5), 3),
            "cpu_s_each_at_report": rounded(_mean(found["cpu_s"].values()), 3),
            "loop_cpu_s_each": rounded(found["own_cpu_s"] / max(1, len(after_s)), 4),
        }
        if found["problem"]:
            findings.problem(f"raw loop, width {width}: {found['problem']}")
        best = max(best, raw_rate or 0.0)
    if rate and best:
        loops["fleet_to_raw"] = round(rate / best, 3)
        findings.row(
            f"launch rate against the raw clone loop in the same run, first {count} devices",
            f"**{rate / best:.2f}** ({rate:.1f}/s against {best:.1f}/s)",
            reach="0.75", aim="0.9",
        )  # fmt: skip


def _widths() -> list[int]:
    """The raw limit is the best of these."""
    cores = len(os.sched_getaffinity(0))
    return [cores, 2 * cores]


def raw_clones(count: int, width: int) -> dict[str, Any]:
    """What `bench.raw_clones` finds, in a process of its own; raises BenchError."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.raw_clones", f"--count={count}", f"--width={width}"],
        stdout=subprocess.PIPE, text=True, cwd=fleet.CHECKOUT,
    )  # fmt: skip
    try:
        said, _ = child.communicate(timeout=RAW_DEADLINE_S)
    except BaseException as error:
        child.terminate()  # it ends its clones itself
        said, _ = child.communicate(timeout=90)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        raise BenchError(f"the raw loop ended with {child.returncode} and no figures") from None
    return found


def _raw_cold(
    findings: Findings, running: RunningFleet, wish: Wish, rate: float | None
) -> None:
    width = max(wish.widths, default=2 * len(os.sched_getaffinity(0)))
    bare, raw_rate = _bare(running, wish, min(wish.raw, wish.count), width)
    findings.values["raw_cold_loop"] = _bare_figures(bare, width, raw_rate)
    if rate and raw_rate:
        findings.row(
            f"cold launch rate, {wish.count} devices, against the raw loop in the same run",
            f"**{rate / raw_rate:.2f}** ({rate:.2f}/s against {raw_rate:.2f}/s)",
            reach="0.8",
        )


def _script(
    findings: Findings, running: RunningFleet, wish: Wish, rate: float | None
) -> None:
    bare, script_rate = _bare(running, wish, wish.script, SCRIPT_WIDTH)
    findings.values["cold_from_a_script"] = _bare_figures(bare, SCRIPT_WIDTH, script_rate)
    if rate and script_rate:
        findings.row(
            "launch rate against cold launches from a script",
            f"**{rate / script_rate:.1f}** ({rate:.1f}/s over the first {wish.first} against "
            f"{script_rate:.2f}/s)",
            reach="30", aim="80",
        )  # fmt: skip


def _bare(
    running: RunningFleet, wish: Wish, count: int, width: int
) -> tuple[raw.RawRun, float]:
    """Cold, unconfined, `width` at a time, as a script would; and its devices a second."""
    firmware = running.get("summary")["firmware"]
    image = artifact.load(
        running.var / "firmware" / firmware["architecture"] / firmware["sha256"]
    )
    memory_mib = int(os.environ.get("FLEETDASH_DEVICE_MEMORY_MIB", "128"))
    time.sleep(wish.calm_s)
    bare = raw.run(image, count=count, width=width, memory_mib=memory_mib)
    return bare, len(bare.reported_s) / max(bare.reported_s.values(), default=1.0)


def _bare_figures(bare: raw.RawRun, width: int, rate: float) -> dict[str, Any]:
    boots = [at - bare.started_s[serial] for serial, at in bare.reported_s.items()]
    return {
        "reported": len(bare.reported_s),
        "at_once": width,
        "devices_per_s": round(rate, 3),
        "boot_wall_s_median": rounded(percentile(boots, 0.5)),
        "boot_cpu_s_median": rounded(percentile(list(bare.cpu_s.values()), 0.5)),
    }


def _mean(values: Any) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
