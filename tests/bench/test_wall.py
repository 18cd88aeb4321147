from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from bench import wall
from devices.live import cells, frames
from devices.live.frames import Frame, Kind
from devices.states import State

ONLINE = frames.STATE_BYTES[State.ONLINE]
BOOTING = frames.STATE_BYTES[State.BOOTING]


def a_frame(kind: Kind, states: Sequence[int], moved: Iterable[int]) -> bytes:
    payload = cells.write(0, bytearray(states), bytearray(len(states)), moved, ())
    return frames.encode(Frame(kind, 1, 1, 0.0, payload))


def snapshot(*states: int) -> bytes:
    return a_frame(Kind.WALL_SNAPSHOT, states, range(len(states)))


def delta(*states: int, moved: Iterable[int]) -> bytes:
    """What tells of `moved` among places that are now in these states."""
    return a_frame(Kind.WALL_DELTA, states, moved)


def test_a_slot_counts_when_it_is_first_seen_online_and_was_not_before() -> None:
    seen = wall.first_online([
        (1.0, snapshot(ONLINE, BOOTING)),
        (2.0, delta(ONLINE, ONLINE, BOOTING, moved=[1, 2])),
        (3.0, delta(ONLINE, ONLINE, ONLINE, moved=[0, 1, 2])),
        (4.0, snapshot(ONLINE, ONLINE, ONLINE, ONLINE)),
    ])  # fmt: skip
    # the fourth was an empty place until then; the first was online before anybody looked
    assert seen == {1: 2.0, 2: 3.0, 3: 4.0}


def test_a_place_given_again_is_seen_to_come_online() -> None:
    seen = wall.first_online([
        (1.0, snapshot(ONLINE, ONLINE)),
        (2.0, snapshot(ONLINE)),  # the second is gone, the wall is shorter
        (3.0, delta(ONLINE, ONLINE, moved=[1])),
    ])  # fmt: skip
    assert seen == {1: 3.0}


def test_who_comes_in_the_middle_sees_what_changes_from_then_on() -> None:
    seen = wall.first_online([
        (1.0, delta(ONLINE, ONLINE, BOOTING, moved=[1])),
        (2.0, snapshot(ONLINE, ONLINE, ONLINE)),
        (3.0, delta(ONLINE, ONLINE, ONLINE, ONLINE, moved=[3])),
    ])  # fmt: skip
    # of the third place it was never told before it was online
    assert seen == {1: 1.0, 3: 3.0}


def test_several_frames_come_in_one_message() -> None:
    both = snapshot(BOOTING) + delta(ONLINE, moved=[0])
    assert wall.first_online([(1.0, both)]) == {0: 1.0}


def test_what_is_no_frame_is_left_out() -> None:
    assert wall.first_online([(1.0, b"nothing"), (2.0, snapshot(BOOTING)), (3.0, b"")]) == {}


def test_delays_are_from_the_devices_own_time_to_the_frame() -> None:
    devices: list[dict[str, Any]] = [
        {"slot": 1, "online_at": "1970-01-01T00:00:01.500000Z"},
        {"slot": 2, "online_at": "1970-01-01T00:00:02Z"},
        {"slot": 3, "online_at": "1970-01-01T00:00:02Z"},  # nobody saw it
        {"slot": 4, "online_at": None},
    ]
    heard = [
        (0.5, snapshot(0, 0, 0, BOOTING)),
        (2.0, delta(0, ONLINE, 0, BOOTING, moved=[1])),
        (2.1, delta(0, ONLINE, ONLINE, BOOTING, moved=[2])),
    ]
    assert wall.delays_s(devices, wall.first_online(heard)) == pytest.approx([0.5, 0.1])
    figures = wall.figures(devices, heard)
    assert (figures["changes"], figures["seen"], figures["p95_ms"]) == (4, 2, 500)
