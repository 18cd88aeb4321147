from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from bench import density, plots, sampling, svg
from bench.errors import BenchError
from bench.svg import Chart, Series


def a_row(seconds: float, phase: str, online: int, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(sampling.COLUMNS, 0.0)
    row |= {"cpu_browser": None, "ksm_profit_mib": None, "available_mib": 20_000.0 - 10 * online}
    return row | {"seconds": seconds, "phase": phase, "online": float(online), **more}


ROWS = [
    *(a_row(n, "grow", 10 * n, cpu_total=180.0) for n in range(20)),
    *(a_row(20 + n, "rest", 190, cpu_total=90.0 if n < 5 else 10.0) for n in range(10)),
    *(a_row(30 + n, "hold", 190, cpu_total=12.0, oldest_heard_s=float(n)) for n in range(10)),
    a_row(40, "remove", 0),
]


def shapes(file: Path, name: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(file.read_text()).findall(f"{{http://www.w3.org/2000/svg}}{name}")


def test_samples_become_small_drawings_that_lie_inside_their_frame(tmp_path: Path) -> None:
    sampling.write(ROWS, tmp_path / plots.SAMPLES)
    assert sampling.read(tmp_path / plots.SAMPLES) == ROWS
    for name in plots.write(sampling.read(tmp_path / plots.SAMPLES), tmp_path):
        file = tmp_path / name
        assert file.stat().st_size < 40_000
        lines = [path for path in shapes(file, "path") if " line" in path.get("class", "")]
        drawn = [line.get("d", "") for line in lines if "L" in line.get("d", "")]
        assert drawn, name
        for place in " ".join(drawn).replace("M", "").replace("L", " ").split():
            assert 0 <= float(place) <= svg.WIDTH


def test_cpu_is_that_of_the_second_half_of_a_rest() -> None:
    total = plots.cpu(ROWS).series[0]
    assert total.points == [(190.0, 10.0), (190.0, 12.0)]


def test_the_launch_rate_is_of_some_seconds() -> None:
    rates = plots.launch_rate(ROWS).series[0].points
    assert rates
    assert all(rate == pytest.approx(10.0) for _, rate in rates)


def test_memory_counts_what_was_swapped_as_taken() -> None:
    rows = [a_row(0, "empty", 0), a_row(1, "grow", 100, swap_used_mib=24.0)]
    taken = plots.memory(rows).series[0]
    assert taken.points == [(0.0, 0.0), (100.0, 1.0)]


def test_a_chart_without_points_is_still_a_drawing() -> None:
    drawn = svg.draw(Chart("a < b", "x", "y", [Series("none", [])]))
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


@pytest.mark.parametrize("most", [0.7, 1, 3, 9.5, 24, 100, 1000, 1500])
def test_ticks_are_round_and_reach_over_the_largest_value(most: float) -> None:
    found = svg.ticks(most)
    assert found[0] == 0
    assert found[-2] < most <= found[-1] * (1 + 1e-9)
    assert 3 <= len(found) <= 8


def test_no_samples_are_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be read"):
        sampling.read(tmp_path / "none.csv")
    with pytest.raises(BenchError, match="no samples"):
        plots.write([], tmp_path)


def test_holding_is_judged_by_its_worst_second() -> None:
    rows = [a_row(n, "hold", 190, heard_in_60s=190.0) for n in range(5)]
    rows[3] |= {"online": 188.0, "oldest_heard_s": 63.0, "heard_in_60s": 187.0}
    figures = density.hold_figures(rows, 190)
    assert figures["online_least"] == 188
    assert figures["heard_in_60s_least"] == 187
    assert figures["longest_silence_s"] == 63.0
    assert figures["samples_with_all_online"] == 4
