from __future__ import annotations

import random

import pytest

from devices.live import cells, frames
from devices.live.frames import BadFrame
from devices.states import State


def _write(base: int, states: bytes, levels: bytes, moved: range | list[int]) -> bytes:
    return cells.write(base, bytearray(states), bytearray(levels), moved, moved)


def test_states_and_levels_fit_in_half_a_byte_each() -> None:
    assert max(frames.STATE_BYTES.values()) < 16


@pytest.mark.parametrize("places", [0, 1, 2, 7, 200, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_what_is_written_is_read(places: int, share: float) -> None:
    draw = random.Random(f"{places} {share}")
    for _ in range(5):
        states = bytearray(draw.choice((0, 4, 4, 4, 10)) for _ in range(places))
        levels = bytearray(draw.randrange(16) if state else 0 for state in states)
        held_states, held_levels = bytearray(states), bytearray(levels)
        moved = [slot for slot in range(places) if draw.random() < share]
        loaded = set(moved)
        for slot in moved:
            states[slot] = draw.choice((0, 1, 5))
            levels[slot] = draw.randrange(16) if states[slot] else 0
        for slot in draw.sample(range(places), int(places * share)):
            if states[slot]:
                levels[slot] = draw.randrange(16)
                loaded.add(slot)
        payload = cells.write(77, states, levels, moved, loaded)
        assert cells.read(payload, held_states, held_levels) == 77
        occupied = len(states.rstrip(b"\0"))
        assert held_states == states[:occupied]
        assert held_levels == levels[:occupied]


def test_a_wall_of_ten_thousand_fits_in_five_kilobytes() -> None:
    draw = random.Random(1)
    levels = bytes(draw.randrange(16) for _ in range(10_000))
    assert len(_write(0, b"\4" * 10_000, levels, range(10_000))) < 5_020


def test_neighbours_that_change_alike_are_one_run() -> None:
    assert len(_write(1, b"\1" * 1000, bytes(1000), range(1000))) < 512 + 12
    single = cells.write(1, bytearray(b"\1" * 1000), bytearray(1000), range(1000), [])
    assert len(single) < 14


def test_a_few_loads_cost_two_bytes_each() -> None:
    levels = bytearray(10_000)
    changed = list(range(0, 10_000, 100))
    for slot in changed:
        levels[slot] = 9
    payload = cells.write(1, bytearray(b"\4" * 10_000), levels, [], changed)
    assert len(payload) < 12 + 2 * len(changed)


def test_a_place_that_becomes_empty_has_no_load() -> None:
    states, levels = bytearray(b"\4\4"), bytearray(b"\7\7")
    cells.read(cells.write(1, bytearray(b"\0\4"), bytearray(b"\0\7"), [0], []), states, levels)
    assert states == b"\0\4" and levels == b"\0\7"


def test_bytes_that_make_no_sense_are_refused() -> None:
    payload = _write(0, b"\4\4\1", b"\1\2\3", range(3))
    for length in range(len(payload)):
        with pytest.raises(BadFrame):
            cells.read(payload[:length], bytearray(), bytearray())
    far = b"\0\0\0\0" + b"\1\1" + b"\xff\xff\xff\x7f" + b"\x14\0"
    for wrong in (payload + b"\0", b"\0\0\0\0\0\0\7", far, b"\0\0\0\0" + b"\xff" * 9,
                  b"\0\0\0\0\0\0\1\1\x10"):
        with pytest.raises(BadFrame):
            cells.read(wrong, bytearray(), bytearray())


def test_every_state_of_a_device_can_be_told() -> None:
    states = bytearray(frames.STATE_BYTES[str(state)] or 1 for state in State)
    held = bytearray()
    payload = cells.write(0, states, bytearray(len(states)), range(len(states)), [])
    cells.read(payload, held, bytearray())
    assert held == states
