from __future__ import annotations

import pytest

from devices.live import frames
from devices.live.board import CONSOLE_BYTES, CORES, Board
from devices.live.frames import Kind


@pytest.fixture
def board() -> Board:
    return Board(clock=lambda: 100.0)


def test_html_that_has_not_changed_is_no_news(board: Board) -> None:
    assert board.put_html("counts", "<p>1</p>")
    assert not board.put_html("counts", "<p>1</p>")
    assert board.put_html("counts", "<p>2</p>")


def test_html_with_a_key_is_news_only_when_the_key_is(board: Board) -> None:
    assert board.put_html("operations", "12 s left", ("running",))
    assert not board.put_html("operations", "11 s left", ("running",))
    assert board.put_html("operations", "done", ("succeeded",))


def test_the_cores_frame_holds_every_host_heard_from_lately(board: Board) -> None:
    board.put_cores("dead", 90.0, b"\1")
    board.put_cores("a", 99.9, b"\2")
    board.put_cores("b", 100.0, b"\3\4")
    payload = board.topics[CORES].payload
    assert isinstance(payload, bytes)
    assert frames.read_cores(frames.decode(payload).payload) == {"a": b"\2", "b": b"\3\4"}


def _wall(message: bytes | None) -> tuple[Kind, bytes]:
    assert message is not None
    frame = frames.decode(message)
    return frame.kind, frame.payload


def test_the_wall_begins_with_a_snapshot_and_goes_on_with_deltas(board: Board) -> None:
    board.put_all_states({0: "online", 2: "booting", **dict.fromkeys(range(10, 40), "online")})
    kind, payload = _wall(board.wall_frame(0))
    assert kind is Kind.WALL_SNAPSHOT
    states, _ = frames.read_wall_snapshot(payload)
    assert states[:3] == bytes([frames.STATE_BYTES["online"], 0, frames.STATE_BYTES["booting"]])
    base = board.wall_sequence
    assert board.wall_frame(base) is None
    board.put_states([(2, "online")])
    kind, payload = _wall(board.wall_frame(base))
    assert kind is Kind.WALL_DELTA
    online = frames.STATE_BYTES["online"]
    assert frames.read_wall_delta(payload) == (base, [(2, online, 0)])


def test_many_changes_are_sent_as_a_snapshot(board: Board) -> None:
    board.put_all_states(dict.fromkeys(range(100), "booting"))
    base = board.wall_sequence
    board.put_states([(slot, "online") for slot in range(100)])
    assert _wall(board.wall_frame(base))[0] is Kind.WALL_SNAPSHOT


def test_one_encoding_serves_everybody(board: Board) -> None:
    board.put_all_states({1: "online"})
    assert board.wall_frame(0) is board.wall_frame(0)


def test_a_guest_that_is_heard_of_no_more_glows_no_more(board: Board) -> None:
    board.put_all_states({0: "online", 1: "online"})
    board.put_loads("a", {0: 200, 1: 10})
    board.put_loads("a", {1: 10})
    _, loads = frames.read_wall_snapshot(_wall(board.wall_frame(0))[1])
    assert loads == bytes([0, 10])


def test_after_a_silence_places_that_are_gone_are_empty(board: Board) -> None:
    board.put_all_states({0: "online", 1: "online"})
    board.put_all_states({1: "online"})
    states, _ = frames.read_wall_snapshot(_wall(board.wall_frame(0))[1])
    assert states == bytes([0, frames.STATE_BYTES["online"]])
    board.put_all_states({})
    assert frames.read_wall_snapshot(_wall(board.wall_frame(0))[1]) == (b"", b"")


def test_the_console_is_replaced_first_and_appended_after(board: Board) -> None:
    board.begin_console("fd-1", b"before ")
    frame = board.console_frame("fd-1", None)
    assert frame is not None and frame.flags == frames.REPLACE
    assert frames.read_console(frame.payload) == (0, b"before ")
    ring = board.consoles["fd-1"]
    held = (ring.begun, ring.end)
    assert board.console_frame("fd-1", held) is None
    board.append_console("fd-1", b"after")
    frame = board.console_frame("fd-1", held)
    assert frame is not None and frame.flags == 0
    assert frames.read_console(frame.payload) == (7, b"after")


def test_who_lags_far_behind_on_a_console_gets_what_is_left_of_it(board: Board) -> None:
    board.begin_console("fd-1", b"x")
    held = (board.consoles["fd-1"].begun, 1)
    board.append_console("fd-1", b"y" * (CONSOLE_BYTES + 10))
    frame = board.console_frame("fd-1", held)
    assert frame is not None and frame.flags == frames.REPLACE
    offset, output = frames.read_console(frame.payload)
    assert (offset, len(output)) == (11, CONSOLE_BYTES)
