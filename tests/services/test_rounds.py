"""A host's rounds: the cheap parts each time, everything compared with everything now and then."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devices.services import (
    carrying,
    launching,
    lever_work,
    powering,
    reaping,
    shortcomings,
    templates,
    tending,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_everything_is_compared_in_a_workers_first_round_and_every_half_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1000.0
    done: list[str] = []
    for module, name in (
        (reaping, "reap"), (carrying, "carry_out"), (shortcomings, "say"), (tending, "adopt"),
        (tending, "sweep"), (powering, "keep_off"), (lever_work, "work"), (templates, "prepare"),
        (launching, "launch"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lambda host_name, name=name: done.append(name))
    monkeypatch.setattr(tending, "_full_at", float("-inf"))
    monkeypatch.setattr(tending, "time", SimpleNamespace(monotonic=lambda: now_s))

    def a_round() -> list[str]:
        done.clear()
        tending.tend("here")
        return list(done)

    assert {"reap", "adopt", "sweep", "launch"} <= set(a_round())
    now_s += tending.FULL_EVERY_S - 1
    assert {"adopt", "sweep"}.isdisjoint(a_round())
    assert {"reap", "launch"} <= set(done)
    now_s += 1
    assert {"adopt", "sweep"} <= set(a_round())
