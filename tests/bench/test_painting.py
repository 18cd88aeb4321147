from __future__ import annotations

from typing import Any

from bench.live.painting import percentile, read


def _event(name: str, begins_ms: float, lasts_ms: float, tid: int = 1) -> dict[str, Any]:
    return {
        "ph": "X", "name": name, "pid": 7, "tid": tid, "ts": begins_ms * 1000,
        "dur": lasts_ms * 1000, "tdur": lasts_ms * 500,
    }  # fmt: skip


def test_the_script_of_a_frame_is_all_since_the_one_before_and_nested_script_counts_once() -> None:
    events = [
        _event("FunctionCall", 0, 2),  # a message arrives
        _event("v8.callFunction", 0.5, 1),  # inside it
        _event("Layout", 3, 9),  # no script
        _event("FireAnimationFrame", 12, 3),
        _event("FunctionCall", 12.5, 1),
        _event("FunctionCall", 20, 4),
        _event("FireAnimationFrame", 30, 1),
        _event("FunctionCall", 0, 500, tid=2),  # another thread
        _event("ThreadControllerImpl::RunTask", 0, 15),
        _event("ThreadControllerImpl::RunTask", 20, 4),
    ]  # fmt: skip
    trace = read(events, "dur")
    assert trace.scripts_ms == [5.0, 5.0]
    assert trace.tasks_ms == [4.0, 15.0]
    assert read(events, "tdur").scripts_ms == [2.5, 2.5]


def test_a_trace_without_a_frame_has_nothing_to_say() -> None:
    assert read([_event("FunctionCall", 0, 2)], "dur").scripts_ms == []
    assert percentile([], 0.99) == 0.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
