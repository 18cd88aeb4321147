from __future__ import annotations

import logging

import pytest

from devices.host.guest_memory import GuestCost, GuestMemory
from devices.poller.guest import GuestRef
from devices.poller.pss import PssRotation, PssThread, read_memory
from tests.poller.conftest import Sleepers, until


class Bench:
    """A clock, and guests that take a while to measure."""

    def __init__(self, cost_s: float = 0.001) -> None:
        self.now = 50.0
        self.cost_s = cost_s
        self.measured: list[str] = []
        self.answer: GuestMemory | None = GuestMemory(20_000, 5_000, 5_000)

    def measure(self, guest: GuestRef) -> GuestMemory | None:
        self.now += self.cost_s
        self.measured.append(guest.serial)
        return self.answer

    def rotation(self, budget_s: float = 0.0045, least_age_s: float = 10.0) -> PssRotation:
        return PssRotation(
            measure=self.measure, budget_s=budget_s, least_age_s=least_age_s, clock=lambda: self.now
        )


def guests(count: int, pid: int = 1) -> list[GuestRef]:
    return [GuestRef(f"g{n}", n, "boot", pid, 1) for n in range(count)]


def test_a_turn_measures_what_fits_into_its_time_and_the_next_goes_on() -> None:
    bench = Bench()
    rotation = bench.rotation()
    rotation.set_guests(guests(8))
    assert rotation.turn() == 5
    assert rotation.turn() == 3
    assert bench.measured == [f"g{n}" for n in range(8)]
    assert rotation.known_kib == {f"g{n}": 20_000 for n in range(8)}


def test_even_a_guest_dearer_than_the_budget_is_measured() -> None:
    bench = Bench(cost_s=0.5)
    rotation = bench.rotation()
    rotation.set_guests(guests(3))
    assert [rotation.turn() for _ in range(3)] == [1, 1, 1]
    assert bench.measured == ["g0", "g1", "g2"]


def test_what_was_measured_lately_is_left_alone() -> None:
    bench = Bench()
    rotation = bench.rotation()
    rotation.set_guests(guests(2))
    assert [rotation.turn(), rotation.turn()] == [2, 0]
    bench.now += 10.0
    assert rotation.turn() == 2


def test_new_guests_come_first_and_the_rotation_is_kept() -> None:
    bench = Bench()
    rotation = bench.rotation(budget_s=0.0005, least_age_s=0.0)
    rotation.set_guests(guests(3))
    rotation.turn()
    rotation.set_guests(guests(4))
    for _ in range(4):
        rotation.turn()
    assert bench.measured == ["g0", "g1", "g2", "g3", "g0"]


def test_what_was_known_of_another_process_is_forgotten() -> None:
    bench = Bench()
    rotation = bench.rotation()
    rotation.set_guests(guests(3))
    rotation.turn()
    rotation.set_guests([*guests(1), *guests(2, pid=2)[1:]])
    assert rotation.known_kib == {"g0": 20_000}
    assert rotation.turn() == 1
    assert bench.measured[-1] == "g1"


def test_what_cannot_be_measured_is_unknown_not_zero() -> None:
    bench = Bench()
    rotation = bench.rotation(least_age_s=0.0)
    rotation.set_guests(guests(1))
    rotation.turn()
    bench.answer = None
    rotation.turn()
    assert rotation.known_kib == {}


def test_a_real_process_is_measured_and_another_of_its_number_is_not(sleepers: Sleepers) -> None:
    guest = sleepers.start("a")
    memory = read_memory(guest)
    assert memory is not None
    assert memory.total_kib > 0
    assert read_memory(guest._replace(start_time=1)) is None


def test_what_is_known_is_published_and_a_failing_list_is_tried_again(
    sleepers: Sleepers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.poller.pss.TURN_S", 0.01)
    monkeypatch.setattr("devices.poller.pss.LIST_EVERY_S", 0.02)
    monkeypatch.setattr("devices.poller.pss.PUBLISH_EVERY_S", 0.02)
    guest = sleepers.start("a")
    failures = [OSError("locked")]
    published: list[dict[str, int]] = []

    def load() -> list[GuestRef]:
        if failures:
            raise failures.pop()
        return [guest]

    learnt: list[dict[str, GuestCost]] = []
    thread = PssThread(
        PssRotation(), load_guests=load, publish=published.append, learn=learnt.append
    )
    with caplog.at_level(logging.ERROR):
        thread.start()
        until(lambda: any(kib.get("a", 0) > 0 for kib in published))
        until(lambda: any("a" in costs for costs in learnt))
        thread.stop()
    assert "trying again" in caplog.text


def test_a_long_burst_of_new_guests_does_not_leave_the_settled_ones_as_they_were() -> None:
    bench = Bench()
    rotation = bench.rotation(budget_s=0.0005)
    rotation.set_guests(guests(2))
    assert [rotation.turn(), rotation.turn()] == [1, 1]
    bench.now += 61.0
    rotation.set_guests(guests(6))
    for _ in range(4):
        rotation.turn()
    assert bench.measured[2:] == ["g2", "g0", "g3", "g1"]


def test_what_one_more_would_take_is_known_with_age_and_time_of_the_measurement() -> None:
    bench = Bench()
    rotation = PssRotation(
        measure=bench.measure, clock=lambda: bench.now, boot_clock=lambda: 100.0
    )
    rotation.set_guests([GuestRef("g", 0, "boot", 1, start_time=3000)])
    rotation.turn()
    assert rotation.costs == {"g": GuestCost(age_s=70.0, measured_at_s=100.0, one_more_kib=5_000)}
    bench.answer, bench.now = None, bench.now + 10.0
    rotation.turn()
    assert rotation.costs == {}
