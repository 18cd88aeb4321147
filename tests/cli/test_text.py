from __future__ import annotations

from typing import Any

import pytest

from fleetdash.cli import text

RUNNING = {
    "id": 3,
    "kind": "add",
    "state": "running",
    "count": 10,
    "done": 4,
    "failed": 1,
    "cancelled": 0,
    "pending": 5,
    "seconds": 8.0,
    "rate_per_s": 0.5,
    "eta_s": 10.0,
    "p50_s": 3.0,
    "p95_s": 7.5,
    "note": "",
}


def test_nothing_a_device_said_moves_the_cursor() -> None:
    assert text.clean("a\x1b[2Jb\u202ec\nd", keep="\n") == "a�[2Jb�c\nd"
    assert "\x1b" not in text.columns(["A"], [["\x1b[31m"]])


def test_columns_are_as_wide_as_they_need() -> None:
    assert text.columns(["A", "B"], [["xx", 1], ["y", 22]]) == "A   B\nxx  1\ny   22"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "?"), (0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99, "99 s"), (125, "2 min 5 s")],
)
def test_durations(value: float | None, said: str) -> None:
    assert text.seconds(value) == said


def test_progress_and_outcome() -> None:
    assert text.progress(RUNNING) == "4 of 10 online, 1 failed, 0.5/s, 10 s left"
    begun = {**RUNNING, "done": 0, "failed": 0, "pending": 10, "rate_per_s": 0.0, "eta_s": None}
    assert text.progress(begun) == "0 of 10 online"
    ended: dict[str, Any] = {**RUNNING, "state": "partly", "done": 9, "pending": 0}
    assert text.outcome(ended) == (
        "9 of 10 online, 1 failed in 8.0 s (0.5/s, half by 3.0 s, 95 % by 7.5 s)"
    )
    at_once = {**ended, "seconds": 180.0, "rate_per_s": 705.7, "p50_s": 0.0, "p95_s": 0.1}
    assert text.outcome(at_once) == "9 of 10 online, 1 failed in 3 min 0 s"
    tagged = {**ended, "kind": "tag", "failed": 0, "count": 12_000, "done": 12_000}
    assert text.outcome(tagged) == "12,000 of 12,000 tagged in 8.0 s"
    one = {**ended, "kind": "remove", "done": 1, "failed": 0, "note": "there were only 1"}
    assert text.outcome(one) == "1 of 1 removed in 8.0 s; there were only 1"
