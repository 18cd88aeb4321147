from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from devices.services import bus, deadlines, reporting, silence
from devices.services.unbroken import Unbroken
from devices.states import State
from fleetdash.celery import host_queue
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Unbroken:
    """Rounds that went on for a quarter of an hour."""
    rounds = Unbroken(gap_s=1000.0)
    rounds.since(time.time() - 900)
    monkeypatch.setattr(silence, "_rounds", rounds)
    return rounds


@pytest.mark.usefixtures("listening")
def test_a_device_not_heard_from_is_offline_and_one_heard_again_is_online(settings: Any) -> None:
    settings.OFFLINE_AFTER_S = 90
    host = a_host()
    silent = a_device(host, state=State.ONLINE)
    talking = a_device(host, state=State.ONLINE)
    a_minute_ago = timezone.now() - timedelta(seconds=60)
    returned = a_device(host, state=State.OFFLINE, state_since=a_minute_ago)
    now = time.time()
    bus.heard_from([silent.serial], now - 100)
    bus.heard_from([talking.serial, returned.serial], now - 10)
    silence.notice_silence()
    for device, state in ((silent, "offline"), (talking, "online"), (returned, "online")):
        device.refresh_from_db()
        assert device.state == state, device
    assert "not been heard from for 90 s" in silent.reason


def test_after_a_pause_devices_have_the_whole_time_to_connect_again(
    listening: Unbroken, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OFFLINE_AFTER_S = 90
    device = a_device(a_host(), state=State.ONLINE)
    bus.heard_from([device.serial], time.time() - 600)

    def state_after(seconds: float) -> str:
        at = time.time() + seconds
        with monkeypatch.context() as patched:
            patched.setattr(time, "time", lambda: at)
            silence.notice_silence()
        device.refresh_from_db()
        return device.state

    def away(serials: Any) -> dict[str, float]:
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(bus, "last_heard", away)
        silence.notice_silence()
    assert (state_after(0), state_after(80)) == ("online", "online")
    assert state_after(100) == "offline"


@pytest.mark.usefixtures("listening")
def test_one_that_hung_while_it_shut_down_is_back_only_when_it_speaks(settings: Any) -> None:
    settings.OFFLINE_AFTER_S = 90
    host = a_host("here")
    a_minute_ago = timezone.now() - timedelta(seconds=61)
    device = a_device(host, state=State.POWERING_OFF, state_since=a_minute_ago)
    bus.heard_from([device.serial], time.time() - 50)
    deadlines.enforce("here", a_minute_ago)
    silence.notice_silence()
    device.refresh_from_db()
    assert (device.state, "did not shut down" in device.reason) == ("offline", True)
    bus.heard_from([device.serial], time.time() + 1)
    silence.notice_silence()
    device.refresh_from_db()
    assert (device.state, device.reason) == ("online", "It was heard from again.")


def test_presence_lost_with_redis_gives_a_new_grace(settings: Any) -> None:
    device = a_device(a_host(), state=State.ONLINE)
    silence.notice_silence()
    device.refresh_from_db()
    assert device.state == State.ONLINE
    assert device.serial in bus.last_heard([device.serial])


def test_a_report_makes_a_device_online_once() -> None:
    device = a_device(a_host(), state=State.BOOTING)
    report = reporting.Report(
        serial=device.serial, version="0.1.0", slot="a", start="cold", at=time.time()
    )
    reporting.reported_in([report, report])
    device.refresh_from_db()
    first_online = device.online_at
    assert (device.state, device.reported_slot, device.reported_start) == ("online", "a", "cold")
    reporting.reported_in([report])
    device.refresh_from_db()
    assert device.online_at == first_online is not None
    assert device.event_set.count() == 1


@pytest.mark.parametrize("state", [State.STOPPING, State.GONE, State.FAILED])
def test_a_report_brings_no_ended_device_back(state: State) -> None:
    device = a_device(a_host(), state=state)
    reporting.reported_in(
        [reporting.Report(serial=device.serial, version="", slot="", start="", at=time.time())]
    )
    device.refresh_from_db()
    assert device.state == state


def test_only_living_devices_have_a_secret_to_report_with() -> None:
    host = a_host()
    device = a_device(host, secret="x" * 43)
    assert reporting.secrets_of(device.serial) == {device.serial: "x" * 43}
    assert reporting.secrets_of(a_device(host, state=State.GONE).serial) == {}
    assert reporting.secrets_of("fd-none") == {}


def test_the_secrets_of_those_that_are_starting_are_given_with_any() -> None:
    host = a_host()
    booting = a_device(host, state=State.BOOTING, secret="b" * 43)
    a_device(host, state=State.ONLINE)
    a_device(host, state=State.FAILED)
    assert reporting.secrets_of("fd-none") == {booting.serial: "b" * 43}


def test_each_device_is_written_down_with_what_it_said() -> None:
    host = a_host()
    devices = [a_device(host, state=State.BOOTING) for _ in range(3)]
    reports = [
        reporting.Report(serial=d.serial, version=version, slot=slot, start="warm", at=time.time())
        for d, version, slot in zip(devices, ["1", "2", "1"], "aba", strict=True)
    ]
    reporting.reported_in(reports)
    for device, report in zip(devices, reports, strict=True):
        device.refresh_from_db()
        assert (device.reported_version, device.reported_slot) == (report.version, report.slot)
        assert (device.reported_start, device.state) == ("warm", "online")


def test_a_batch_of_reports_asks_a_host_with_waiting_devices_for_one_round() -> None:
    host = a_host("busy")
    booting = [a_device(host, state=State.BOOTING) for _ in range(2)]
    for _ in range(3):
        a_device(host, state=State.REQUESTED)
    reporting.reported_in(
        [
            reporting.Report(serial=d.serial, version="1", slot="a", start="warm", at=time.time())
            for d in booting
        ]
    )
    assert bus.client().llen(host_queue("busy")) == 1
