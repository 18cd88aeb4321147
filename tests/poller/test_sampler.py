from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from devices.host.cpu import CoreSample
from devices.host.guests import GuestSampler
from devices.host.sample import HostSample, HostSampler
from devices.poller.guest import GuestRef
from devices.poller.sampler import Sampler, guest_rows, seconds_between
from tests.poller.conftest import Sleepers, until


class Heard:
    """A voice that keeps what was said."""

    def __init__(self) -> None:
        self.cores: list[tuple[float, bytes]] = []
        self.hosts: list[dict[str, Any]] = []
        self.guests: list[tuple[float, Sequence[Sequence[int | None]]]] = []
        self.heartbeats: list[tuple[str, str]] = []

    def publish_cores(self, host: str, at: float, busy: bytes) -> None:
        self.cores.append((at, busy))

    def publish_host_sample(self, host: str, sample: dict[str, Any]) -> None:
        self.hosts.append(sample)

    def publish_guests_sample(
        self, host: str, at: float, rows: Sequence[Sequence[int | None]]
    ) -> None:
        self.guests.append((at, rows))

    def heartbeat(self, process: str, host: str) -> None:
        self.heartbeats.append((process, host))


class Listed:
    """A roster of given guests."""

    def __init__(self, guests: Sequence[GuestRef] = (), pss: Mapping[str, int] | None = None):
        self._guests = guests
        self._pss = pss or {}

    def guests(self) -> Sequence[GuestRef]:
        return self._guests

    def pss_kib(self) -> Mapping[str, int]:
        return self._pss


def at_once(kind: str, say: Callable[[], None]) -> None:
    say()


def test_cores_at_each_beat_everything_else_once_a_second() -> None:
    heard = Heard()
    sampler = Sampler("here", voice=heard, roster=Listed(), offer=at_once)
    for beat in range(1, 41):
        sampler.tick(beat)
    sampler.stop()
    assert len(heard.cores) == 40
    assert len(heard.hosts) == len(heard.guests) == 11
    assert heard.heartbeats == [("poller", "here")] * 3


def test_a_second_is_told_of_its_own_quarters_only() -> None:
    heard = Heard()
    counts: list[int] = []

    class Counting(HostSampler):
        def sample(self, cores: list[CoreSample]) -> HostSample:
            counts.append(len(cores))
            return super().sample(cores)

    sampler = Sampler("here", voice=heard, roster=Listed(), offer=at_once, host_sampler=Counting())
    for beat in range(4, 17):
        sampler.tick(beat)
    sampler.stop()
    assert counts == [1, 4, 4, 4]


def test_many_guests_are_looked_at_every_few_seconds() -> None:
    assert [seconds_between(n) for n in (0, 500, 501, 1000, 1500, 10_000)] == [1, 1, 2, 2, 3, 4]
    heard = Heard()
    many = [GuestRef(f"fd-{n}", n, "boot", 0, 1) for n in range(600)]
    sampler = Sampler("here", voice=heard, roster=Listed(many), offer=at_once)
    for beat in range(4, 44):
        sampler.tick(beat)
    sampler.stop()
    assert (len(heard.hosts), len(heard.guests)) == (10, 5)


def test_skipped_beats_do_not_skip_a_second() -> None:
    heard = Heard()
    sampler = Sampler("here", voice=heard, roster=Listed(), offer=at_once)
    for beat in (1, 7, 9, 10, 18):
        sampler.tick(beat)
    sampler.stop()
    assert len(heard.hosts) == 4


def test_a_guests_row_joins_what_is_known_of_it(sleepers: Sleepers) -> None:
    guests = [sleepers.start("a", slot=3), sleepers.start("b", slot=9), sleepers.start("c")]
    sleepers.kill("c")
    sampler = GuestSampler()
    guest_rows(guests, sampler, {})
    rows = guest_rows(guests, sampler, {"b": 21_000})
    sampler.close()
    assert [(row[0], row[1], row[3]) for row in rows] == [(3, 0, None), (9, 0, 21_000)]


def test_the_clock_keeps_its_beat_beside_a_thread_that_computes() -> None:
    heard = Heard()
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(1000))

    busy = threading.Thread(target=compute)
    sampler = Sampler("here", voice=heard, roster=Listed(), offer=at_once)
    busy.start()
    sampler.start()
    until(lambda: len(heard.cores) >= 7)
    sampler.stop()
    done.set()
    busy.join()
    # a loaded machine may cost a beat now and then, but none may come early or be queued
    assert 1.4 < heard.cores[6][0] - heard.cores[0][0] < 10


def test_a_failing_sample_does_not_stop_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()

    class Broken(Listed):
        def guests(self) -> Sequence[GuestRef]:
            raise RuntimeError("no guests today")

    sampler = Sampler("here", voice=heard, roster=Broken(), offer=at_once)
    sampler.start()
    until(lambda: len(heard.hosts) >= 2)
    sampler.stop()
    assert len(heard.cores) >= 4
    assert "sampling goes on" in caplog.text
