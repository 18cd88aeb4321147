from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from devices.services import bus, summary
from fleetdash.deploy import waiting, watchdog


@pytest.mark.parametrize(
    ("silent_s", "ended"),
    [
        ({"control": 1.0, "worker": 2.0, "poller": 0.0}, []),
        ({"control": 0.0, "worker": 91.0, "poller": 0.0}, ["worker"]),
        ({"control": 0.0, "worker": 0.0, "poller": 91.0}, ["poller"]),
        # a silent control asks no worker to beat, so the worker is not to blame
        ({"control": 91.0, "worker": 95.0, "poller": 0.0}, ["control", "beat"]),
        ({"control": 91.0, "worker": 95.0, "poller": 99.0}, ["control", "beat", "poller"]),
        ({"control": 0.0, "gateway": 91.0, "web": 0.0}, ["gateway"]),
        ({"control": 0.0, "gateway": 0.0, "web": 91.0}, ["web"]),
    ],
)
def test_whoever_makes_no_progress_is_ended(silent_s: dict[str, float], ended: list[str]) -> None:
    assert watchdog.to_end(silent_s) == ended


def test_whoever_says_that_it_makes_progress_is_watched() -> None:
    assert {*summary.PROCESSES, "web"} == set(watchdog.WATCHED)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the watchdog reads instead of the machine's clock, in seconds."""
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    monkeypatch.setattr("fleetdash.deploy.watchdog.time", clock)
    return now


@pytest.mark.usefixtures("redis_server")
def test_silence_is_measured_from_the_last_heartbeat(settings: Any, now: list[float]) -> None:
    progress = watchdog.Progress(["worker", "poller"])
    bus.heartbeat("worker", settings.HOST_NAME)
    for passed_s in (2.0, 4.0):
        now[0] += 2.0
        assert progress.look() == {"worker": 0.0, "poller": passed_s}
    progress.forgive("poller")
    assert progress.look() == {"worker": 0.0, "poller": 0.0}


def test_nobody_is_silent_while_redis_is_away(settings: Any, now: list[float]) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    bus.client.cache_clear()
    try:
        progress = watchdog.Progress(["worker"])
        now[0] += 5.0
        assert progress.look() == {"worker": 0.0}
    finally:
        bus.client.cache_clear()


@pytest.fixture(params=["maxmemory", "min-replicas-to-write"])
def refusing(redis_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting for which Redis answers but takes nothing in, as when its disk is full."""
    with redis.Redis.from_url(redis_server) as client:
        before = client.config_get(request.param)[request.param]
        client.config_set(request.param, 1)
        yield request.param
        client.config_set(request.param, before)


def test_nobody_is_silent_while_redis_refuses_what_is_written(
    settings: Any, now: list[float], refusing: str
) -> None:
    progress = watchdog.Progress(["worker", "gateway"])
    for _ in range(30):
        now[0] += 5.0
        assert progress.look() == {"worker": 0.0, "gateway": 0.0}
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.config_set(refusing, 0)
    now[0] += 5.0
    assert progress.look() == {"worker": 5.0, "gateway": 5.0}


@pytest.mark.usefixtures("redis_server")
def test_nobody_is_blamed_for_a_pause_of_the_watchdog_itself(now: list[float]) -> None:
    progress = watchdog.Progress(["gateway"])
    now[0] += 5.0
    assert progress.look() == {"gateway": 5.0}
    now[0] += 3600.0
    assert progress.look()["gateway"] < watchdog.SILENT_S
    for _ in range(20):
        now[0] += 5.0
        silent = progress.look()
    assert silent["gateway"] > watchdog.SILENT_S


@pytest.mark.usefixtures("redis_server")
def test_web_makes_progress_when_it_answers_whatever_it_says(
    settings: Any, monkeypatch: pytest.MonkeyPatch, now: list[float]
) -> None:
    settings.BIND, settings.PORT = "0.0.0.0", 8123
    answers = {("127.0.0.1", 8123): 500}
    monkeypatch.setattr(waiting, "asked", lambda host, port: answers[host, port])
    progress = watchdog.Progress(["web"])
    now[0] += 5.0
    assert progress.look() == {"web": 0.0}
    answers["127.0.0.1", 8123] = 0
    now[0] += 5.0
    assert progress.look() == {"web": 5.0}


# an address of documentation (RFC 5737) stands for one that this machine has lost
@pytest.mark.parametrize(("bind", "silent_s"), [("127.0.0.1", 5.0), ("192.0.2.1", 0.0)])
def test_web_is_not_to_blame_for_an_address_that_the_machine_has_lost(
    settings: Any, monkeypatch: pytest.MonkeyPatch, now: list[float], bind: str, silent_s: float
) -> None:
    settings.BIND = bind
    monkeypatch.setattr(waiting, "asked", lambda host, port: 0)
    progress = watchdog.Progress(["web"])
    now[0] += 5.0
    assert progress.look() == {"web": silent_s}


def test_who_accepts_and_says_nothing_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert waiting.asked("127.0.0.1", port, within_s=0.05) == 0
    assert waiting.asked("127.0.0.1", port) == 0
