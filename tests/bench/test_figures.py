from __future__ import annotations

import json

from bench.figures import percentile, rate_of_first
from bench.findings import Findings
from bench.settling import wait


def test_the_rate_of_the_first_needs_that_many() -> None:
    assert rate_of_first([4.0, 1.0, 2.0], 2) == 1.0
    assert rate_of_first([1.0], 2) is None
    assert rate_of_first([], 0) is None


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([], 0.5) is None


def test_findings_print_what_is_there_and_what_went_wrong() -> None:
    findings = Findings("bin/bench launch --count 2")
    findings.values["fleet"] = {"online": 2, "p50_s": None}
    findings.row("launches", "**2/s**", reach="1/s")
    findings.problem("the raw loop did not start")
    said = findings.as_text()
    assert "  online  2\n  p50 s   –" in said
    assert "| launches | 1/s | – | **2/s** | `bin/bench launch --count 2` |" in said
    assert said.endswith("✗ the raw loop did not start")
    assert json.loads(findings.as_json())["rows"][0]["reach"] == "1/s"


def settled_after_s(
    saved_mib: list[int | None], *, least_s: float, most_s: float, merging: int = 0
) -> float:
    """What `wait` gives when the fleet says `merging` times that it still merges."""
    looks, said = iter(saved_mib), iter([True] * merging + [False] * 99)
    return wait(
        least_s, most_s, sleep=lambda _: None, merging=lambda: next(said),
        saved_bytes=lambda: None if (mib := next(looks)) is None else mib << 20,
    )  # fmt: skip


def test_settling_waits_until_merging_rests() -> None:
    growing = [100, 200, 300, 400, 500, 600, 600, 600, 600, 600, 600, 600]
    # a look every 5 s: flat from 25 s on, which 20 s later is certain
    assert settled_after_s([*growing], least_s=0, most_s=100) == 45.0


def test_settling_believes_the_fleet_that_it_still_merges() -> None:
    assert settled_after_s([600] * 30, least_s=0, most_s=100, merging=3) == 35.0


def test_settling_gives_up_and_needs_no_merging() -> None:
    assert settled_after_s([*range(100, 5000, 100)], least_s=0, most_s=30) == 30.0
    assert settled_after_s([None] * 9, least_s=10, most_s=100) == 10.0
    assert settled_after_s([0] * 9, least_s=10, most_s=100) == 20.0
