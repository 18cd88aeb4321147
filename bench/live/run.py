"""`bin/bench live`: from a publisher through the real hub to real sockets, and what it costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import redis

from bench import processes
from bench.errors import BenchError
from bench.findings import Findings
from bench.live import recording
from bench.live.feed import PUBLISHED
from bench.live.scene import Scene, scene

CLIENT_PROCESSES = 4
SETTLE_S = 4.0
RESTART_WITHIN_S = 30.0
PERCENTILES = (50, 95, 99)


class Watchers:
    """Processes full of clients; each says a line when asked to."""

    def __init__(self, here: Scene, cookie: str, counts: list[int], *, stalled: bool) -> None:
        more = ["--stalled"] if stalled else []
        self.names = [f"{'stalled' if stalled else 'clients'}-{n}" for n in range(len(counts))]
        self._processes = [
            here.python(
                name, "-m", "bench.live.clients", "--port", str(here.port), "--cookie", cookie,
                "--count", str(count), *more, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for name, count in zip(self.names, counts, strict=True)
        ]  # fmt: skip
        for process in self._processes:
            if self._line(process) != "ready":
                raise BenchError(f"a client could not connect:\n{here.log()}")

    @staticmethod
    def _line(process: subprocess.Popen[bytes]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().decode().strip()

    def tell(self, word: str) -> None:
        """Say a word to all."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n".encode())
            process.stdin.flush()

    def newest(self) -> float:
        """The time of the newest sample that every client has."""
        self.tell("newest")
        return min(float(self._line(process)) for process in self._processes)

    def told(self) -> list[dict[str, Any]]:
        """What each of them saw since it began to count."""
        self.tell("tell")
        return [json.loads(self._line(process)) for process in self._processes]


@dataclass(frozen=True)
class Wish:
    """How many of what, and for how long."""

    clients: int
    devices: int
    cores: int
    stalled: int
    seconds: float
    loads: str
    replay: Path | None = None


def run(findings: Findings, wish: Wish) -> None:
    """Delays from publish to receipt, what was skipped, and what each process cost."""
    if wish.replay is not None:
        wish = _recorded(wish, wish.replay)
    findings.values |= {k: v for k, v in asdict(wish).items() if k != "replay"}
    more = ["--replay", str(wish.replay)] if wish.replay else ["--loads", wish.loads]
    with scene() as here:
        access = here.ask("bench.live.rows", str(wish.devices))
        here.start_web()
        here.python(
            "feed", "-m", "bench.live.feed", "--devices", str(wish.devices),
            "--cores", str(wish.cores), *more,
        )  # fmt: skip
        counts = [len(range(n, wish.clients, CLIENT_PROCESSES)) for n in range(CLIENT_PROCESSES)]
        watching = Watchers(here, access["cookie"], [n for n in counts if n], stalled=False)
        time.sleep(SETTLE_S)
        memory = {"before_mib": _pss_mib(here)}
        if wish.stalled:
            Watchers(here, access["cookie"], [wish.stalled], stalled=True)
        before, began, published = _costs(here), time.monotonic(), _published(here)
        watching.tell("count")
        memory["most_mib"] = _wait(here, wish.seconds)
        after, took_s = _costs(here), time.monotonic() - began
        published = _published(here) - published
        findings.values["load_average"] = round(os.getloadavg()[0], 2)
        findings.values |= _summary(watching.told(), published)
        findings.values["cpu_percent_of_a_core"] = _cpu(before, after, took_s)
        memory["growth_mib"] = memory["most_mib"] - memory["before_mib"]
        findings.values["web_memory"] = {k: round(v, 1) for k, v in memory.items()}
        findings.values["redis_started_to_page_live_s"] = _restart_redis(here, watching)
        _judge(findings, wish)


def _recorded(wish: Wish, replay: Path) -> Wish:
    """The wish with as many devices and cores as the recording has."""
    places, cores = [0, *recording.states(replay)], 0
    for each in recording.said(replay):
        if each.channel == recording.CHANGES:
            places += [int(slot) for slot, _ in json.loads(each.message)["devices"]]
        elif each.channel.startswith(recording.CORES):
            cores = max(cores, len(each.message) - 8)
    return replace(wish, devices=1 + max(places), cores=cores, loads="recorded")


def _judge(findings: Findings, wish: Wish) -> None:
    """The rows of docs/measurements.md."""
    values = findings.values
    delays, sizes = values["publish_to_receipt_ms"], values["bytes_a_client_per_s"]
    many = f"{wish.clients} clients, {wish.devices:,} devices, {wish.cores} cores at 4 Hz"
    findings.row(
        f"{many}: publish to receipt, p95",
        f"{delays['all'].get('p95', '–')} ms (p50 {delays['all'].get('p50', '–')}, "
        f"p99 {delays['all'].get('p99', '–')}); "
        f"{values['core_frames']['skipped_percent']} % skipped",
        reach="100 ms", aim="40 ms",
    )  # fmt: skip
    findings.row(
        "– the web process", f"{values['cpu_percent_of_a_core']['web']} % of a core",
        reach="30 %", aim="12 %",
    )  # fmt: skip
    if wish.stalled:
        findings.row(
            f"{wish.stalled} stalled clients for {wish.seconds:.0f} s: growth of the web process",
            f"{values['web_memory']['growth_mib']} MiB", reach="30 MiB", aim="10 MiB",
        )  # fmt: skip
    findings.row(
        f"a client's traffic, {wish.devices:,} devices, {wish.loads} loads",
        f"{(sizes['frames'] + sizes['html']) / 1000:.1f} kB/s, {sizes['frames'] / 1000:.1f} of it "
        f"frames",
        reach="15 kB/s", aim="8 kB/s",
    )  # fmt: skip
    back = values["redis_started_to_page_live_s"]
    findings.row("Redis stopped and started: page live again",
                 "not at all" if back is None else f"{back} s", reach="5 s", aim="2 s")  # fmt: skip
    if values["closed"]:
        findings.problem(f"{values['closed']} clients were closed")
    if back is None:
        findings.problem("the page stays dead once Redis is back")
    if not sizes["html"]:
        findings.problem("no HTML came: the web process cannot render what the page shows")


def _costs(here: Scene) -> dict[str, processes.Cost]:
    return {name: processes.cost(each.pid) for name, each in here.processes.items()}


def _pss_mib(here: Scene) -> float:
    pss_kib: int = processes.cost(here.processes["web"].pid).pss_kib
    return pss_kib / 1024


def _wait(here: Scene, seconds: float) -> float:
    """Wait, and give the most memory that the web process had."""
    deadline, peak = time.monotonic() + seconds, 0.0
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(2.0, left))
        peak = max(peak, _pss_mib(here))
    return peak


def _restart_redis(here: Scene, watching: Watchers) -> float | None:
    """Seconds from the start of a killed Redis until every client has a newer sample."""
    here.end("redis", signal.SIGKILL)
    (here.folder / "redis.sock").unlink(missing_ok=True)
    time.sleep(3.0)
    started, clock = time.time(), time.monotonic()
    here.start_redis()
    while time.monotonic() - clock < RESTART_WITHIN_S:
        if watching.newest() > started:
            return round(time.monotonic() - clock, 2)
        time.sleep(0.02)
    return None


def _published(here: Scene) -> int:
    with redis.Redis.from_url(here.environment["REDIS_URL"]) as client:
        found: Any = client.get(PUBLISHED)
        return int(found or 0)


def _summary(seen: list[dict[str, Any]], published: int) -> dict[str, Any]:
    clients = sum(each["clients"] for each in seen)
    delays: dict[str, Counter[int]] = {"cores": Counter(), "wall": Counter()}
    for each in seen:
        for kind, counted in each["delays"].items():
            delays[kind].update({int(tenths): n for tenths, n in counted.items()})

    def rate(key: str) -> float:
        return float(sum(each[key] / each["seconds"] for each in seen) / clients)

    received = sum(delays["cores"].values()) / clients
    return {
        "publish_to_receipt_ms": {
            "all": _percentiles(delays["cores"] + delays["wall"]),
            **{kind: _percentiles(counted) for kind, counted in delays.items()},
        },
        "core_frames": {
            "published": published,
            "received_by_a_client": round(received, 1),
            "skipped_percent": round(max(0.0, 100 * (1 - received / max(1, published))), 2),
        },
        "messages_a_client_per_s": round(rate("messages"), 2),
        "bytes_a_client_per_s": {
            "frames": round(rate("frame_bytes")),
            "html": round(rate("html_bytes")),
        },
        "snapshots": sum(each["snapshots"] for each in seen),
        "closed": sum(each["closed"] for each in seen),
    }


def _percentiles(tenths: Counter[int]) -> dict[str, float]:
    ordered, total = sorted(tenths.items()), sum(tenths.values())
    found: dict[str, float] = {}
    for percent in PERCENTILES:
        counted = 0
        for value, n in ordered:
            counted += n
            if counted >= total * percent / 100:
                found[f"p{percent}"] = value / 10
                break
    if ordered:
        found["max"] = ordered[-1][0] / 10
    return found


def _cpu(
    before: dict[str, processes.Cost], after: dict[str, processes.Cost], took_s: float
) -> dict[str, float]:
    used = {
        name: 100 * (after[name].cpu_s - cost.cpu_s) / took_s for name, cost in before.items()
    }
    shown = {name: round(used[name], 1) for name in ("web", "redis", "feed")}
    rest = sum(share for name, share in used.items() if name not in shown)
    return {**shown, "clients_in_all": round(rest, 1)}
