from __future__ import annotations

import time
from typing import Any

import pytest

from devices.services import bus
from fleetdash.deploy import watchdog


@pytest.mark.parametrize(
    ("silent_s", "ended"),
    [
        ({"control": 1.0, "worker": 2.0, "poller": 0.0}, []),
        ({"control": 0.0, "worker": 91.0, "poller": 0.0}, ["worker"]),
        ({"control": 0.0, "worker": 0.0, "poller": 91.0}, ["poller"]),
        # a silent control asks no worker to beat, so the worker is not to blame
        ({"control": 91.0, "worker": 95.0, "poller": 0.0}, ["control", "beat"]),
        ({"control": 91.0, "worker": 95.0, "poller": 99.0}, ["control", "beat", "poller"]),
    ],
)
def test_whoever_makes_no_progress_is_ended(silent_s: dict[str, float], ended: list[str]) -> None:
    assert watchdog.to_end(silent_s) == ended


def test_silence_is_measured_from_the_last_heartbeat(redis_server: str, settings: Any) -> None:
    progress = watchdog.Progress(["worker", "poller"])
    bus.heartbeat("worker", settings.HOST_NAME)
    time.sleep(0.2)
    silent = progress.look()
    assert silent["worker"] == 0.0
    assert silent["poller"] >= 0.2
    progress.forgive("poller")
    assert progress.look()["poller"] < 0.2


def test_nobody_is_silent_while_redis_is_away(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    bus.client.cache_clear()
    try:
        progress = watchdog.Progress(["worker"])
        time.sleep(0.05)
        assert progress.look() == {"worker": 0.0}
    finally:
        bus.client.cache_clear()
