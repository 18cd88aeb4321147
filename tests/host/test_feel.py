from __future__ import annotations

from dataclasses import replace

import pytest

from devices.host.feel import Feel, capacity, launch_width

MIB = 1 << 20
CALM = Feel(free_memory_bytes=8192 * MIB, reserve_bytes=1024 * MIB, run_queue=0.0, cores=2)


@pytest.mark.parametrize(
    ("cores", "run_queue", "starting", "width"),
    [
        (2, 0.0, 0, 4),
        (2, 2.0, 0, 4),
        (2, 5.0, 0, 2),
        (2, 8.0, 0, 1),
        (2, 190.0, 0, 1),
        (2, 6.0, 4, 4),
        (2, 9.0, 4, 2),
        (2, 1.0, 4, 4),
        (1, 0.0, 0, 2),
        (192, 10.0, 0, 384),
        (192, 480.0, 0, 192),
    ],
)
def test_width_follows_the_run_queue_of_others(
    cores: int, run_queue: float, starting: int, width: int
) -> None:
    feel = replace(CALM, cores=cores, run_queue=run_queue)
    assert launch_width(feel, starting=starting).guests == width


def test_a_long_queue_leaves_guests_that_cost_little_their_least() -> None:
    feel = replace(CALM, run_queue=190.0)
    assert launch_width(feel, per_core=16.0, least=4).guests == 4
    assert launch_width(feel, per_core=1.0, least=4).guests == 2
    short = replace(feel, free_memory_bytes=feel.reserve_bytes - 1)
    assert launch_width(short, per_core=16.0, least=4).guests == 0


@pytest.mark.parametrize(
    ("free_mib", "width"),
    [(8192, 4), (1024 + 640, 4), (1024 + 639, 3), (1024 + 160, 1), (1024 + 159, 0), (1024, 0)],
)
def test_width_shrinks_as_memory_nears_the_reserve(free_mib: int, width: int) -> None:
    feel = replace(CALM, free_memory_bytes=free_mib * MIB)
    assert launch_width(feel, device_cost_bytes=160 * MIB).guests == width


def test_under_the_reserve_launching_waits_and_says_why() -> None:
    width = launch_width(replace(CALM, free_memory_bytes=1000 * MIB))
    assert width.guests == 0
    assert width.reason == (
        "1,000 MiB of memory are free, less than the reserve of 1,024 MiB; "
        "launching waits for memory to merge or be given back."
    )


@pytest.mark.parametrize(("stall", "width"), [(None, 4), (0.0, 4), (9.9, 4), (10.0, 2), (99.0, 2)])
def test_waiting_for_memory_halves_the_width(stall: float | None, width: int) -> None:
    assert launch_width(replace(CALM, memory_stall_percent=stall)).guests == width


def test_a_busy_and_stalled_host_still_gets_on() -> None:
    feel = replace(CALM, run_queue=500.0, memory_stall_percent=90.0)
    assert launch_width(feel).guests == 1


def test_guests_that_hardly_use_a_core_may_be_more() -> None:
    assert launch_width(CALM, per_core=8).guests == 16


def test_the_reason_names_what_held_back() -> None:
    assert "cores can start 4 guests" in launch_width(CALM).reason
    assert "5 other tasks queue for 2 cores; 2 of 4" in (
        launch_width(replace(CALM, run_queue=5.0)).reason
    )
    assert "a starting guest takes 160 MiB; 1 may" in (
        launch_width(
            replace(CALM, free_memory_bytes=1200 * MIB), device_cost_bytes=160 * MIB
        ).reason
    )


@pytest.mark.parametrize(
    ("free_mib", "starting", "starting_cost_mib", "devices"),
    [
        (1024, 0, None, 0),
        (900, 0, None, 0),
        (1024 + 99, 0, None, 0),
        (1024 + 100, 0, None, 1),
        (1024 + 1000, 0, None, 10),
        (1024 + 1000, 4, None, 6),
        (1024 + 1000, 4, 150, 4),
        (1024 + 1000, 40, None, 0),
    ],
)
def test_capacity_shares_out_what_is_above_the_reserve(
    free_mib: int, starting: int, starting_cost_mib: int | None, devices: int
) -> None:
    feel = replace(CALM, free_memory_bytes=free_mib * MIB)
    cost = None if starting_cost_mib is None else starting_cost_mib * MIB
    assert (
        capacity(feel, device_cost_bytes=100 * MIB, starting=starting, starting_cost_bytes=cost)
        == devices
    )


def test_a_feel_is_read_from_what_the_poller_says() -> None:
    sample = {
        "memory": {"available_bytes": 5 * MIB},
        "cpu": {"run_queue": 2.25},
        "psi": {"memory_some": 3.5},
    }
    feel = Feel.from_sample(sample, cores=4, reserve_bytes=MIB)
    assert feel == Feel(5 * MIB, MIB, 2.25, 4, 3.5)
    bare = Feel.from_sample({**sample, "psi": None, "cpu": None}, cores=4, reserve_bytes=MIB)
    assert (bare.memory_stall_percent, bare.run_queue) == (None, 0.0)
    with pytest.raises(KeyError):
        Feel.from_sample({}, cores=1, reserve_bytes=0)
