"""`bin/bench density`: how many devices this machine holds, and what the fleet is like then."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import browser, cpu, fleet, guests, idle, pages, plots, sampling, settling, wall
from bench.errors import BenchError
from bench.figures import rounded
from bench.findings import Findings
from bench.fleet import Refused, RunningFleet
from bench.person import Person
from bench.presence import Presence
from bench.sampling import Row, Sampler

GONE_DEADLINE_S = 180.0
# how long a fleet that says "nothing fits" is given to merge memory
PATIENCE_S = 120.0
HEARD_WITHIN_S = 60.0
PAGE_ROUNDS = 20
CALM_S = 10.0
SETTLE_LEAST_S, SETTLE_MOST_S = 20.0, 300.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to do: grow to `upto` in steps (0: at once), `more` while the wall is watched, hold.

    `idle_s` is how long the idle cost is then measured, with nothing asked of the fleet.
    """

    upto: int
    step: int
    hold_s: float
    rest_s: float = 15.0
    more: int = 100
    idle_s: float = 60.0
    password: str | None = None
    page: bool = False
    folder: Path = plots.FOLDER


@dataclass
class Run:
    """One density run; what it finds is kept as it goes."""

    findings: Findings
    wish: Wish
    running: RunningFleet
    sampler: Sampler
    page: browser.Page | None
    person: Person | None
    growth: list[dict[str, Any]] = field(default_factory=list)

    @contextlib.contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """A part whose failure is a problem, but no reason to leave out the rest."""
        try:
            yield
        except (BenchError, OSError) as error:
            self.findings.problem(f"{what}: {error}")

    def grow(self) -> int:
        """Add devices up to the wish, or to where the fleet refuses; gives how many are online."""
        online, began = 0, self.sampler.seconds()
        while online < self.wish.upto:
            wanted = min(self.wish.step or self.wish.upto, self.wish.upto - online)
            self.sampler.phase = plots.GROW
            step_began = self.sampler.seconds()
            try:
                ended = self._add(wanted)
            except BenchError as error:
                self.findings.problem(f"at {online} devices: {error}")
                break
            now_online = self.running.get("summary")["online"]
            self.growth.append({
                "online": now_online,
                "seconds": round(self.sampler.seconds() - step_began, 1),
                "devices_per_s": rounded(ended["rate_per_s"]),
                "p95_s": rounded(ended["p95_s"]),
                **sampling.host_now(),
            })  # fmt: skip
            if ended["failed"]:
                self.findings.problem(f"{ended['failed']} devices failed at {now_online} online")
            if now_online <= online:
                break
            online = now_online
            if self.wish.step:
                self.sampler.phase = plots.REST
                self.sampler.rest(self.wish.rest_s)
        self.sampler.phase = plots.PAUSE
        took_s = self.sampler.seconds() - began
        self.findings.values["growth"] = {"online": online, "seconds": round(took_s, 1)}
        self.findings.values["steps"] = {str(each["online"]): each for each in self.growth}
        how = f"in steps of {self.wish.step}" if self.wish.step else "at once"
        self.findings.row(
            f"devices online, asked for {self.wish.upto:,} {how}",
            f"**{online:,}** after {took_s:.0f} s",
            reach="1,000", aim="1,500",
        )  # fmt: skip
        return online

    def _add(self, wanted: int) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.running.operate("add", wanted)
            except Refused as error:
                if error.fits:
                    wanted = min(wanted, error.fits)
                elif time.monotonic() > until:
                    raise
                else:
                    time.sleep(5)

    def watch_wall(self, online: int) -> None:
        """Start `more` devices and measure when the wall shows each; then remove them again."""
        if not self.wish.more or self.person is None:
            return
        client = wall.Client(self.person)
        found: dict[str, Any] = {}
        try:
            self.sampler.rest(CALM_S)
            if self.page is not None:
                self.page.listen()
            self.sampler.phase = plots.MORE
            begun = self._begin_more()
            ended = self.running.wait(begun)
            time.sleep(3)  # the last frames are on their way
            came = list(self.running.devices(after=begun["created_at"]))
            took_part = [d for d in came if d["online_at"] is not None]
            found["socket"] = wall.figures(took_part, client.frames)
            if self.page is not None:
                found["chromium"] = wall.figures(took_part, self.page.heard())
            self.findings.values["wall_delay"] = {
                "online_before": online, "more": ended["done"], **found
            }
        finally:
            client.close()
        said = ", ".join(
            f"**{each['p95_ms']:.0f} ms** {where} (p50 {each['p50_ms']:.0f}, longest "
            f"{each['longest_ms']:.0f}, {each['seen']} of {each['changes']} seen)"
            for where, each in found.items()
            if each["p95_ms"] is not None
        )
        self.findings.row(
            f"wall frame from a change to the browser, p95, at {online:,} devices while "
            f"{ended['count']} more start",
            said or "no change was seen",
            reach="800 ms", aim="500 ms",
        )  # fmt: skip
        # the newest go first
        self.running.operate("remove", ended["done"])

    def _begin_more(self) -> dict[str, Any]:
        """As many as wished for, or as fit."""
        try:
            return self.running.begin("add", self.wish.more)
        except Refused as error:
            if not error.fits:
                raise
            return self.running.begin("add", error.fits)

    def hold(self, online: int) -> None:
        """Wait; every device must stay online and be heard from within the last minute."""
        self.sampler.phase = plots.HOLD
        rows = self.sampler.rest(self.wish.hold_s)
        figures = hold_figures(rows, online)
        self.findings.values["hold"] = figures
        if not rows:
            return
        self.findings.row(
            f"devices online at once, held {self.wish.hold_s / 60:.3g} minutes, every one heard "
            "from in the last 60 s",
            f"**{figures['online_least']:,}** at least; longest silence "
            f"{figures['longest_silence_s']:.0f} s in {figures['samples']} samples",
            reach="1,000", aim="1,500",
        )  # fmt: skip
        for what, words in [("online_least", "online"), ("heard_in_60s_least", "heard from")]:
            if figures[what] < online:
                self.findings.problem(
                    f"of {online} devices only {figures[what]} were {words} at one time"
                )
        if figures["longest_silence_s"] > HEARD_WITHIN_S:
            self.findings.problem(
                f"one device was not heard from for {figures['longest_silence_s']:.0f} s"
            )

    def measure_idle(self) -> None:
        """CPU and memory with all of them idle; nothing is asked of the fleet meanwhile."""
        pids = self.page.pids if self.page else []
        with self.sampler.paused():
            idle.measure(
                self.findings, self.running, seconds=self.wish.idle_s, browser_pids=pids
            )
        self.sampler.rest(3)  # the samples go on before anything changes

    def answer_pages(self, online: int) -> None:
        """A log-in, a search and a device page with all of them online."""
        if self.wish.password is not None:
            pages.measure(
                self.findings, self.running, rounds=PAGE_ROUNDS, password=self.wish.password,
                online=online,
            )

    def remove(self) -> None:
        """Remove all; how long until no process is left."""
        self.sampler.phase = plots.REMOVE
        self.running.stop_adding()
        left = list(guests.running(self.running.var).values())
        if not self.running.get("summary")["total"]:
            return
        begun = self.running.begin("remove", fleet.MOST)
        gone_s = guests.wait_until_gone(left, GONE_DEADLINE_S)
        self.running.wait(begun)
        time.sleep(2)  # for the plot's end
        self.findings.values["removal"] = {
            "processes": len(left), "seconds_to_no_process": rounded(gone_s)
        }
        self.findings.row(
            f'"−{len(left):,}" to no process left',
            "**not all ended**" if gone_s is None else f"**{gone_s:.1f} s**",
            reach="20 s", aim="10 s",
        )  # fmt: skip
        if gone_s is None:
            self.findings.problem(f"some guests still ran {GONE_DEADLINE_S:.0f} s after removing")


def hold_figures(rows: list[Row], online: int) -> dict[str, Any]:
    """The worst of what was seen while holding."""
    return {
        "samples": len(rows),
        "online_least": min((int(row["online"]) for row in rows), default=0),
        "heard_in_60s_least": min((int(row["heard_in_60s"]) for row in rows), default=0),
        "longest_silence_s": max((row["oldest_heard_s"] for row in rows), default=0.0),
        "samples_with_all_online": sum(row["online"] >= online for row in rows),
        "cpu_total_percent_mean": rounded(sampling.mean(rows, "cpu_total")),
        "cpu_guests_percent_mean": rounded(sampling.mean(rows, "cpu_guests")),
        "cpu_control_plane_percent_mean": rounded(sampling.mean(rows, "cpu_control_plane")),
        "cpu_ksmd_percent_mean": rounded(sampling.mean(rows, "cpu_ksmd")),
        "available_mib_least": min((row["available_mib"] for row in rows), default=None),
    }


def run(findings: Findings, wish: Wish) -> None:
    """All of it; samples and plots are written however it ends."""
    running = fleet.find()
    running.wait_for_template()
    with _people(running, wish) as (person, page):
        presence = Presence(running.var)
        meter = cpu.Meter(running.var, page.pids if page else [])
        sampler = Sampler(running, meter, presence)
        run_ = Run(findings, wish, running, sampler, page, person)
        try:
            with sampler:
                try:
                    sampler.rest(CALM_S)
                    online = run_.grow()
                    with run_.going_on("watching the wall"):
                        run_.watch_wall(online)
                    sampler.phase = plots.PAUSE
                    findings.values["settled_after_s"] = settling.wait(
                        SETTLE_LEAST_S, SETTLE_MOST_S,
                        merging=lambda: settling.fleet_merges(running),
                    )  # fmt: skip
                    run_.hold(online)
                    sampler.phase = plots.PAUSE
                    with run_.going_on("asking for pages"):
                        run_.answer_pages(online)
                    with run_.going_on("measuring idle cost"):
                        run_.measure_idle()
                finally:
                    run_.remove()
        finally:
            findings.values["samples_missed"] = sampler.missed
            keep(findings, sampler.rows, wish.folder)
            running.empty()
            presence.close()


def keep(findings: Findings, rows: list[Row], folder: Path) -> None:
    """Write the samples, the findings and the plots."""
    sampling.write(rows, folder / plots.SAMPLES)
    (folder / "density.json").write_text(json.dumps(findings.values, indent=2) + "\n")
    if rows:
        plots.write(rows, folder)


@contextlib.contextmanager
def _people(
    running: RunningFleet, wish: Wish
) -> Iterator[tuple[Person | None, browser.Page | None]]:
    person = Person(running.url, wish.password) if wish.password is not None else None
    with browser.page(running.url, wish.password if wish.page else None) as page:
        yield person, page
