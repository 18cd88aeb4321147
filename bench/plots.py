"""`bin/bench plots`: draws docs/plots/*.svg from the samples `bin/bench density` left."""

from __future__ import annotations

import itertools
from pathlib import Path

from bench import sampling
from bench.errors import BenchError
from bench.findings import Findings
from bench.fleet import CHECKOUT
from bench.sampling import Row
from bench.svg import Chart, Series, draw

FOLDER = CHECKOUT / "docs" / "plots"
SAMPLES = "density.csv"
# phases of `bench.density`
GROW, REST, MORE, HOLD, REMOVE = "grow", "rest", "more", "hold", "remove"
PAUSE = "pause"  # in which something else is done with the fleet
RATE_WINDOW_S = 2.5
GIB = 1024.0


def run(findings: Findings, folder: Path = FOLDER) -> None:
    """Draw every chart there are samples for."""
    rows = sampling.read(folder / SAMPLES)
    findings.values["plots"] = ", ".join(write(rows, folder))


def write(rows: list[Row], folder: Path) -> list[str]:
    """Write the charts into a folder; gives their names. Raises BenchError without samples."""
    if not rows:
        raise BenchError("there are no samples to draw")
    folder.mkdir(parents=True, exist_ok=True)
    charts = {
        "online.svg": online(rows),
        "launch-rate.svg": launch_rate(rows),
        "memory.svg": memory(rows),
        "cpu.svg": cpu(rows),
    }
    for name, chart in charts.items():
        (folder / name).write_text(draw(chart))
    return list(charts)


def online(rows: list[Row]) -> Chart:
    """Devices online over time, with what was done when."""
    return Chart(
        "Devices online over time",
        "seconds",
        "devices",
        [
            Series("online", _points(rows, "seconds", "online"), area=True),
            Series("starting", _points(rows, "seconds", "starting")),
        ],
        marks=_marks(rows),
    )


def launch_rate(rows: list[Row]) -> Chart:
    """Devices that came online a second, against how many were online already."""
    points = []
    grown = [row for row in rows if row["phase"] in (GROW, MORE)]
    for _, group in itertools.groupby(grown, key=lambda row: row["phase"]):
        some = list(group)
        first = 0
        for last, row in enumerate(some):
            while row["seconds"] - some[first]["seconds"] > RATE_WINDOW_S:
                first += 1
            took_s = row["seconds"] - some[first]["seconds"]
            came = row["online"] - some[first]["online"]
            if took_s >= RATE_WINDOW_S / 2 and last > first and came >= 0:
                points.append((row["online"], came / took_s))
    return Chart(
        "Launch rate against the number of devices online",
        "devices online",
        "devices a second",
        [Series(f"mean of {RATE_WINDOW_S:.0f} s", sorted(points))],
    )


def memory(rows: list[Row]) -> Chart:
    """Where the host's memory is, against the number of devices."""
    grown = _while_growing(rows)
    first = next((row["available_mib"] for row in grown), 0.0)
    used = [
        (row["online"], (first - row["available_mib"] + row["swap_used_mib"]) / GIB)
        for row in grown
    ]
    saved = [(n, mib / GIB) for n, mib in _points(grown, "online", "ksm_saved_mib")]
    free = [(n, mib / GIB) for n, mib in _points(grown, "online", "available_mib")]
    return Chart(
        "Memory against the number of devices online",
        "devices online",
        "GiB",
        [
            Series("taken by the fleet", used, area=True),
            Series("available", free),
            Series("saved by merging", saved),
        ],
    )


def cpu(rows: list[Row]) -> Chart:
    """What idle devices and the control plane use: the mean of each rest, by number of devices."""
    names = {
        "cpu_total": "all of the machine",
        "cpu_guests": "devices",
        "cpu_ksmd": "merging",
        "cpu_control_plane": "control plane",
    }
    rests = [
        list(group)
        for (phase, _), group in itertools.groupby(
            rows, key=lambda row: (row["phase"], row["online"])
        )
        if phase in (REST, HOLD)
    ]
    series = []
    for column, name in names.items():
        points = []
        for rest in rests:
            # what starting stirred up is over in the second half
            mean = sampling.mean(rest[len(rest) // 2 :], column)
            if mean is not None:
                points.append((float(rest[0]["online"]), mean))
        series.append(Series(name, sorted(points), dots=len(points) < 40))
    return Chart(
        "CPU while idle against the number of devices online",
        "devices online",
        "per cent of one core",
        series,
    )


def _while_growing(rows: list[Row]) -> list[Row]:
    grown = [row for row in rows if row["phase"] in ("empty", GROW, REST)]
    return sorted(grown, key=lambda row: (row["online"], row["seconds"]))


def _points(rows: list[Row], x: str, y: str) -> list[tuple[float, float]]:
    return [(row[x], row[y]) for row in rows if row.get(x) is not None and row.get(y) is not None]


def _marks(rows: list[Row]) -> list[tuple[float, str]]:
    words = {MORE: "more start", HOLD: "held", REMOVE: "removed"}
    return [
        (group[0]["seconds"], words[phase])
        for phase, each in itertools.groupby(rows, key=lambda row: row["phase"])
        if phase in words and (group := list(each))
    ]
