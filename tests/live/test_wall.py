from __future__ import annotations

import random

import pytest

from devices.live import frames
from devices.live.frames import Kind
from devices.live.wall import MOST_MOVES, Wall
from devices.states import State
from tests.live.held import Held

ONLINE = frames.STATE_BYTES["online"]


@pytest.fixture
def wall() -> Wall:
    made = Wall(epoch=5)
    made.put_states(1, 10.0, [(slot, "online") for slot in range(40)])
    return made


@pytest.fixture
def held(wall: Wall) -> Held:
    return Held().take(wall.frame(0, 11.0))


def test_it_begins_with_a_snapshot_and_goes_on_with_deltas(wall: Wall, held: Held) -> None:
    assert held.states == bytes([ONLINE]) * 40
    assert wall.frame(held.sequence, 12.0) is None
    wall.put_states(2, 12.5, [(2, "failed"), (50, "booting")])
    held.take(wall.frame(held.sequence, 13.0))
    assert held.kinds == [Kind.WALL_SNAPSHOT, Kind.WALL_DELTA]
    assert held.states[2] == frames.STATE_BYTES["failed"]
    assert held.states[50] == frames.STATE_BYTES["booting"]
    assert held.at == 12.5


def test_a_state_that_is_known_already_is_no_news(wall: Wall, held: Held) -> None:
    wall.put_states(2, 12.0, [(2, "online")])
    assert wall.frame(held.sequence, 13.0) is None


def test_a_fleet_without_devices_is_news_too() -> None:
    wall = Wall(epoch=5)
    assert wall.frame(0, 1.0) is None
    wall.put_states(1, 1.0, [])
    assert Held().take(wall.frame(0, 1.0)).states == b""


def test_a_delta_tells_when_its_oldest_change_was_published(wall: Wall, held: Held) -> None:
    wall.put_loads(2, 20.0, "a", [[0, 500]])
    wall.put_states(3, 21.0, [(1, "failed")])
    wall.put_states(4, 22.0, [(2, "failed")])
    assert held.take(wall.frame(held.sequence, 30.0)).at == 21.0


def test_viewers_with_the_same_base_share_one_encoding(wall: Wall, held: Held) -> None:
    assert wall.frame(0, 1.0) is wall.frame(0, 1.0)
    wall.put_states(2, 2.0, [(1, "failed")])
    assert wall.frame(held.sequence, 3.0) is wall.frame(held.sequence, 3.0)


def test_a_load_that_hardly_moves_is_not_sent(wall: Wall, held: Held) -> None:
    wall.put_loads(2, 2.0, "a", [[slot, 300] for slot in range(40)])
    held.take(wall.frame(held.sequence, 3.0))
    assert set(held.levels) == {8}
    wall.put_loads(3, 3.0, "a", [[slot, 310] for slot in range(40)])
    assert wall.frame(held.sequence, 4.0) is None


def test_a_guest_that_is_heard_of_no_more_glows_no_more(wall: Wall, held: Held) -> None:
    wall.put_loads(2, 2.0, "a", [[0, 900], [1, 900]])
    wall.put_loads(3, 2.0, "b", [[2, 900]])
    wall.put_loads(4, 3.0, "a", [[1, 900]])
    assert held.take(wall.frame(held.sequence, 4.0)).levels[:3] == b"\0\x0e\x0e"


def test_the_load_of_an_empty_place_is_left_out(wall: Wall, held: Held) -> None:
    wall.put_loads(2, 2.0, "a", [[3, 900], [70, 900]])
    wall.put_states(3, 2.5, [(3, "gone")])
    wall.put_loads(4, 3.0, "a", [[3, 900]])
    held.take(wall.frame(held.sequence, 4.0))
    assert held.states[3] == held.levels[3] == 0
    wall.put_states(5, 5.0, [(3, "requested")])
    assert held.take(wall.frame(held.sequence, 5.0)).levels[3] == 0


def test_who_was_away_for_long_gets_a_snapshot(wall: Wall, held: Held) -> None:
    for n in range(MOST_MOVES):
        wall.put_states(n + 2, 2.0, [(0, "failed" if n % 2 else "online"), (1, "failed")])
    held.take(wall.frame(held.sequence, 3.0))
    wall.put_states(900, 2.0, [(0, "booting")])
    held.take(wall.frame(1, 3.0))
    assert held.kinds[-1] is Kind.WALL_SNAPSHOT


def test_however_far_behind_a_viewer_is_it_ends_with_the_truth() -> None:
    draw = random.Random(4)
    wall = Wall(epoch=1)
    truth: dict[int, str] = {}
    viewers = [Held() for _ in range(12)]
    for n in range(1, 600):
        if draw.random() < 0.7:
            changes = [
                (draw.randrange(300), str(draw.choice(list(State))))
                for _ in range(draw.randrange(9))
            ]
            truth.update(changes)
            wall.put_states(n, float(n), changes)
        else:
            rows = [[slot, draw.randrange(1001)] for slot in draw.sample(range(300), 250)]
            wall.put_loads(n, float(n), "a", rows)
        for viewer in viewers:
            if draw.random() < 0.1 and (frame := wall.frame(viewer.sequence, float(n))):
                viewer.take(frame)
    fresh = Held().take(wall.frame(0, 600.0))
    expected = bytes(frames.STATE_BYTES[truth.get(slot, "gone")] for slot in range(300))
    assert fresh.states == expected.rstrip(b"\0")
    assert any(fresh.levels)
    for viewer in viewers:
        if frame := wall.frame(viewer.sequence, 600.0):
            viewer.take(frame)
        assert (viewer.states, viewer.levels) == (fresh.states, fresh.levels)
    assert any(Kind.WALL_DELTA in viewer.kinds for viewer in viewers)
