from __future__ import annotations

import pytest

from devices.live import frames
from devices.live.board import CONSOLE_BYTES, CORES, Board
from devices.live.frames import Kind
from tests.live.held import Held


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


def test_viewers_that_lack_the_same_share_one_message(board: Board) -> None:
    board.put_all_states({1: "online"})
    board.put_cores("a", 100.0, b"\1")
    board.put_html("counts", "<p>")
    message = board.frames_message(0, 0)
    assert message is not None and board.frames_message(0, 0) is message
    assert board.frames_message(None, 0) is not message
    parts = frozenset({"counts"})
    assert board.html_message(parts, 0) is board.html_message(parts, 0) is not None
    board.put_cores("a", 100.25, b"\2")
    assert board.frames_message(0, 0) is not message


def test_cores_and_wall_travel_together(board: Board) -> None:
    board.put_all_states({1: "online"})
    board.put_cores("a", 100.0, b"\1")
    message = board.frames_message(0, 0)
    assert message is not None and isinstance(message.content, bytes)
    found = frames.decode_all(message.content)
    assert [frame.kind for frame in found] == [Kind.CORES, Kind.WALL_SNAPSHOT]
    assert message.sequence == found[-1].sequence
    assert board.frames_message(board.topics[CORES].sequence, board.wall.sequence) is None


def test_after_a_silence_places_that_are_gone_are_empty(board: Board) -> None:
    board.put_all_states({0: "online", 1: "online"})
    board.put_all_states({1: "online"})
    held = Held().take(board.wall.frame(0, 100.0))
    assert held.states == bytes([0, frames.STATE_BYTES["online"]])
    board.put_all_states({})
    assert held.take(board.wall.frame(held.sequence, 100.0)).states == b""


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


def test_what_changed_last_comes_last_for_who_begins(board: Board) -> None:
    parts = frozenset({"progress", "operations"})
    board.put_html("progress", "0 of 2,")
    board.put_html("operations", "[0 of 2]", ("running",))
    board.put_html("progress", "1 of 2,")
    message = board.html_message(parts, 0)
    assert message is not None and str(message.content).endswith("[0 of 2]1 of 2,")


def test_html_with_a_key_is_as_new_as_can_be_for_who_begins(board: Board) -> None:
    parts = frozenset({"operations"})
    board.put_html("operations", "undo 1", ("running",))
    first = board.html_message(parts, 0)
    board.put_html("operations", "undo 2", ("running",))
    message = board.html_message(parts, 0)
    assert first is not None and message is not None
    assert str(message.content).endswith("undo 2")
    assert board.html_message(parts, first.sequence) is None


def test_what_is_forgotten_is_sent_to_nobody(board: Board) -> None:
    parts = frozenset({"counts"})
    board.put_html("counts", "<p>")
    assert board.html_message(parts, 0) is not None
    board.forget("counts")
    assert board.html_message(parts, 0) is None
