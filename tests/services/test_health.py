from __future__ import annotations

from typing import Any

import pytest

from devices.models import Device
from devices.services import bus, health, presence, reaping, reporting, silence
from devices.services.health import HealthPoint
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = pytest.mark.usefixtures("redis_server")

METRICS = {"load_1min": 0.254, "mem_used_mb": 41, "mem_size_mb": 112, "uptime_s": 125.2}


def test_a_report_is_kept_whole_and_as_a_point() -> None:
    bus.heard_from(["fd-1"], 900.0)
    presence.renew(["fd-1"], 1000.0, {"fd-1": health.report(1000.7, METRICS)})
    assert bus.last_heard(["fd-1"]) == {"fd-1": 1000.0}
    assert health.recent("fd-1") == [HealthPoint(1000.0, 0.25, 41, 112, 125)]
    latest = health.latest("fd-1")
    assert latest is not None
    assert (latest.at, latest.metrics) == (1000.7, METRICS)


def test_a_ring_keeps_the_newest_in_their_order() -> None:
    bus.heard_from(["fd-1"], 0.0)
    for n in range(health.POINTS + 30):
        report = health.report(45.0 * n, {"load_1min": n / 100})
        presence.renew(["fd-1"], 45.0 * n, {"fd-1": report})
    kept = health.recent("fd-1")
    assert [point.at for point in kept] == [45.0 * n for n in range(30, health.POINTS + 30)]
    assert kept[-1] == HealthPoint(45.0 * (health.POINTS + 29), 1.49, None, None, None)


@pytest.mark.parametrize(
    "strange",
    [
        {"load_1min": -1.0, "mem_used_mb": -1, "mem_size_mb": 1e-320, "uptime_s": -1e17},
        {"load_1min": 1e17, "mem_used_mb": 1e17, "mem_size_mb": 65_535, "uptime_s": 1e12},
    ],
)
def test_what_cannot_be_counts_as_not_told(strange: dict[str, float]) -> None:
    bus.heard_from(["fd-1"], 1.0)
    presence.renew(["fd-1"], 2.0, {"fd-1": health.report(2.0, strange)})
    assert health.recent("fd-1") == [HealthPoint(2.0, None, None, None, None)]
    latest = health.latest("fd-1")
    assert latest is not None and latest.metrics == strange
    assert [latest.believed(name) for name in strange] == [None] * 4


def test_what_is_said_after_a_device_was_forgotten_brings_nothing_back() -> None:
    bus.heard_from(["fd-1", "fd-2"], 1.0)
    bus.forget(["fd-1"])
    reports = {serial: health.report(2.0, METRICS) for serial in ("fd-1", "fd-2")}
    presence.renew(["fd-1", "fd-2"], 2.0, reports)
    assert bus.remembered() == {"fd-2"}
    assert (health.recent("fd-1"), health.latest("fd-1")) == ([], None)
    bus.forget(["fd-2"])
    assert bus.client().keys("fleet:health*") == []


@pytest.mark.django_db
def test_a_report_that_comes_late_leaves_nothing_of_a_device_that_ends() -> None:
    host = a_host("here")
    ending, online = a_device(host, state=State.STOPPING), a_device(host)
    reporting.reported_in(
        [
            reporting.Report(serial=serial, version="", slot="", start="", at=5.0)
            for serial in (ending.serial, online.serial, "fd-unknown")
        ]
    )
    assert bus.remembered() == {online.serial}


@pytest.mark.django_db
def test_a_device_that_ends_while_a_grace_is_given_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = a_device(a_host("here"))
    asked = bus.last_heard

    def meanwhile(serials: Any) -> dict[str, float]:
        Device.objects.filter(id=device.id).update(state=State.STOPPING)
        reaping.reap("here")
        return asked(serials)

    monkeypatch.setattr(bus, "last_heard", meanwhile)
    silence.notice_silence()
    assert bus.remembered() == set()


def test_without_redis_nothing_is_known_and_nothing_breaks(settings: Any) -> None:
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    bus.client.cache_clear()
    presence.renew(["fd-1"], 1.0, {})
    assert (health.recent("fd-1"), health.latest("fd-1")) == ([], None)
    bus.client.cache_clear()
