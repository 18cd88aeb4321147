from __future__ import annotations

import asyncio

import pytest

from devices.gateway.gather import Gatherer

pytestmark = pytest.mark.asyncio


async def test_what_arrives_within_a_moment_is_written_together_and_the_newest_wins() -> None:
    batches: list[dict[str, int]] = []

    async def write(values: dict[str, int]) -> None:
        batches.append(values)

    gatherer = Gatherer(write, window_s=0.01)
    futures = [gatherer.add("a", 1), gatherer.add("b", 2), gatherer.add("a", 3)]
    assert batches == []
    await asyncio.gather(*futures)
    assert batches == [{"a": 3, "b": 2}]


async def test_the_first_is_written_at_once_and_those_after_it_once_a_window() -> None:
    written_at: list[float] = []
    loop = asyncio.get_running_loop()

    async def write(values: dict[str, int]) -> None:
        written_at.append(loop.time())

    await asyncio.wait_for(Gatherer(write, window_s=600).add("a", 1), 20)
    written_at.clear()
    gatherer = Gatherer(write, window_s=0.1)
    await gatherer.add("a", 1)
    await asyncio.gather(*[gatherer.add(name, 1) for name in "bcdef"])
    assert len(written_at) == 2
    assert written_at[1] - written_at[0] >= 0.09


async def test_one_flush_is_in_flight_and_what_comes_meanwhile_is_the_next() -> None:
    batches: list[dict[str, int]] = []
    go_on = asyncio.Event()
    at_once = 0

    async def write(values: dict[str, int]) -> None:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        batches.append(values)
        await go_on.wait()
        at_once -= 1

    gatherer = Gatherer(write, window_s=0)
    first = gatherer.add("a", 1)
    while not batches:
        await asyncio.sleep(0)
    later = [gatherer.add(name, 2) for name in "bcd"]
    await asyncio.sleep(0.02)
    assert len(batches) == 1
    assert not first.done()
    go_on.set()
    await asyncio.gather(first, *later)
    assert batches == [{"a": 1}, {"b": 2, "c": 2, "d": 2}]


async def test_a_failure_reaches_those_of_its_batch_only() -> None:
    fails = True

    async def write(values: dict[str, int]) -> None:
        if fails:
            raise OSError("disk full")

    gatherer = Gatherer(write, window_s=0)
    lost = gatherer.add("a", 1)
    with pytest.raises(OSError, match="disk full"):
        await asyncio.shield(lost)
    fails = False
    await gatherer.add("a", 1)
