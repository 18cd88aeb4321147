from __future__ import annotations

from bench.presence import Heard, judged


def test_only_devices_with_a_guest_count() -> None:
    heard_at = {"fd-1": 990.0, "fd-2": 930.0, "fd-3": 100.0}
    assert judged(heard_at, {"fd-1", "fd-2", "fd-4", "template"}, 1000.0) == Heard(70.0, 1, 1)


def test_nobody_was_silent_where_nobody_is() -> None:
    assert judged({}, set(), 1000.0) == Heard(0.0, 0, 0)
