from __future__ import annotations

import time
from typing import Any

import pytest

from devices.models import HistoryPoint
from devices.services import bus, history, presence, recorder, transitions
from devices.services.figures import Sampler
from devices.states import State
from tests.rows import a_device, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

MIB = 1 << 20
KSM = {"saved_bytes": 300 * MIB, "general_profit_bytes": -20 * MIB}


def say(name: str, at: float, **values: Any) -> None:
    """Publish a host's sample as its poller does."""
    bus.publish_host_sample(name, {**a_sample(), "at": at, **values})


def test_devices_are_counted_for_the_fleet_and_each_host() -> None:
    here, there = a_host("here"), a_host("there")
    for state in (State.ONLINE, State.ONLINE, State.BOOTING, State.GONE):
        a_device(here, state=state)
    a_device(there)
    series = Sampler().sample(1000.0)
    assert set(series) == {history.FLEET, "here", "there"}
    assert (series["here"]["online"], series["here"]["devices"]) == (2, 3)
    assert (series[history.FLEET]["online"], series[history.FLEET]["devices"]) == (3, 4)


def test_machines_are_added_up_and_a_silent_one_is_left_out() -> None:
    for name, cores in (("here", 2), ("there", 6), ("silent", 64)):
        a_host(name, cores=cores)
    say("here", 1000.0, cpu={"busy": 0.5}, ksm=KSM)
    say("there", 1000.0, cpu={"busy": 0.1}, ksm=None, zram=[{"used_bytes": 5 * MIB}])
    say("silent", 980.0, cpu={"busy": 1.0}, ksm=KSM)
    bus.publish_pss("here", {"fd-1": 1024, "fd-2": 2048})
    series = Sampler().sample(1001.0)
    assert series["silent"] == {"online": 0, "devices": 0}
    here, there, fleet = series["here"], series["there"], series[history.FLEET]
    assert (here["memory_guests_mib"], here["ksm_profit_mib"]) == (3, -20)
    assert "ksm_profit_mib" not in there
    assert fleet["ksm_profit_mib"] == -20
    assert fleet["busy"] == pytest.approx((2 * 0.5 + 6 * 0.1) / 8)
    assert (there["memory_zram_mib"], fleet["memory_zram_mib"]) == (5, 5)
    assert fleet["memory_free_mib"] == 40_000
    assert fleet["memory_used_mib"] == 2 * (24 * 1024 - 20_000)


def test_guests_that_were_not_measured_yet_are_counted_too() -> None:
    a_host("here")
    say("here", 1000.0)
    # as it is after the worker was started again
    bus.publish_pss("here", {"fd-1": 8 * 1024})
    rows = [[slot, 3, 60 * 1024, 8 * 1024 if slot == 0 else None] for slot in range(100)]
    bus.publish_guests_sample("here", 1000.0, rows)
    series = Sampler().sample(1001.0)
    assert series["here"]["memory_guests_mib"] == series[history.FLEET]["memory_guests_mib"] == 800


def test_rates_are_those_since_the_last_time() -> None:
    host = a_host("here")
    starting = [a_device(host, state=State.BOOTING) for _ in range(3)]
    back = a_device(host, state=State.OFFLINE)
    sampler = Sampler()
    presence.renew([], 996.0, {}, (0, 10, 0, 0))
    first = sampler.sample(1000.0)[history.FLEET]
    assert "started_per_s" not in first
    transitions.move([d.id for d in starting], old=State.BOOTING, new=State.ONLINE)
    transitions.move([back.id], old=State.OFFLINE, new=State.ONLINE)
    presence.renew([], 1000.0, {}, (0, 20, 400, 0))
    second = sampler.sample(1005.0)
    # who came back was not started
    assert second["here"]["started_per_s"] == second[history.FLEET]["started_per_s"] == 0.6
    assert second[history.FLEET]["messages_per_s"] == 5.0
    assert second[history.FLEET]["received_bytes_per_s"] == 100.0
    assert "messages_per_s" not in second["here"]
    assert sampler.sample(1010.0)[history.FLEET]["started_per_s"] == 0


def test_a_recorder_writes_what_there_is_and_goes_on_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_device(a_host("here"))
    clock = recorder.Recorder()
    begin_s = history.FINEST.begin(time.time()) - 60
    write = history.write

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the disk is full")

    for n, does in enumerate((write, fail, fail, write)):
        monkeypatch.setattr(history, "write", does)
        clock.record(begin_s + 5 * n)
    reading = history.read("here", "hour")
    assert reading.figures["online"].mean == [1, None, None, 1]
    assert sum("could not be written" in record.message for record in caplog.records) == 1


def test_sampling_takes_few_questions(django_assert_max_num_queries: Any) -> None:
    host = a_host("here")
    for _ in range(5):
        a_device(host)
    clock = recorder.Recorder()
    begin_s = history.FINEST.begin(time.time()) // 60 * 60
    clock.record(begin_s)
    with django_assert_max_num_queries(7):
        clock.record(begin_s + 5)
    assert HistoryPoint.objects.count() == 4
