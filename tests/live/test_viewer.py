from __future__ import annotations

import re

import pytest

from devices.live import frames
from devices.live.board import Board
from devices.live.frames import Kind
from devices.live.viewer import MOST_UNACKNOWLEDGED, Viewer


def _row(slot: int, state: str) -> str:
    return f"<i id=state-{slot}>{state}</i>"


@pytest.fixture
def board() -> Board:
    return Board()


def _viewer(*parts: str) -> Viewer:
    return Viewer(frozenset(parts), _row)


def _sequence(message: str | bytes) -> int:
    if isinstance(message, bytes):
        return frames.decode(message).sequence
    found = re.match(r"<!--(\d+)-->", message)
    assert found
    return int(found[1])


def test_a_viewer_gets_only_what_it_shows(board: Board) -> None:
    board.put_html("counts", "<p id=counts>")
    board.put_html("hosts", "<p id=hosts>")
    board.put_cores("a", 1.0, b"\1")
    (message,) = _viewer("counts").take(board)
    assert isinstance(message, str) and message.endswith("<p id=counts>")


def test_never_more_than_two_are_on_the_way(board: Board) -> None:
    viewer = _viewer("counts", "cores", "wall")
    board.put_html("counts", "1")
    board.put_cores("a", 1.0, b"\1")
    board.put_all_states({0: "online"})
    first = viewer.take(board)
    assert len(first) == MOST_UNACKNOWLEDGED == 2
    for n in range(50):
        board.put_html("counts", f"later {n}")
        assert viewer.take(board) == []
    viewer.acknowledge(_sequence(first[0]))
    assert len(viewer.take(board)) == 1
    assert viewer.take(board) == []


def test_who_lagged_gets_the_newest_and_not_what_was_missed(board: Board) -> None:
    viewer = _viewer("cores")
    sent: list[str | bytes] = []
    for n in range(10):
        board.put_cores("a", float(n), bytes([n]))
        sent += viewer.take(board)
    assert len(sent) == 2
    viewer.acknowledge(_sequence(sent[1]))  # acknowledges the earlier one too
    (message,) = viewer.take(board)
    assert isinstance(message, bytes)
    assert frames.read_cores(frames.decode(message).payload) == {"a": b"\x09"}


def test_nothing_starves_on_a_slow_line(board: Board) -> None:
    viewer = _viewer("counts", "cores", "wall")
    kinds: list[str] = []
    for n in range(12):
        board.put_cores("a", float(n), bytes([n]))
        board.put_html("counts", str(n))
        board.put_states([(0, "online" if n % 2 else "booting")])
        for message in viewer.take(board):
            kinds.append("html" if isinstance(message, str) else frames.decode(message).kind.name)
        if n % 2:
            viewer.acknowledge(viewer.unacknowledged[0])
    assert {"html", "CORES"} <= set(kinds[:4])
    assert any(kind.startswith("WALL") for kind in kinds)


def test_a_hidden_tab_gets_nothing_and_the_newest_on_its_return(board: Board) -> None:
    viewer = _viewer("counts")
    viewer.hidden = True
    board.put_html("counts", "old")
    assert viewer.take(board) == []
    board.put_html("counts", "new")
    viewer.hidden = False
    (message,) = viewer.take(board)
    assert isinstance(message, str) and message.endswith("-->new")


def test_an_unknown_acknowledgement_frees_nothing(board: Board) -> None:
    viewer = _viewer("cores")
    for n in range(3):
        board.put_cores("a", float(n), bytes([n]))
        viewer.take(board)
    viewer.acknowledge(10**9)
    assert viewer.take(board) == []


def test_visible_rows_follow_their_device_and_let_go_of_one_that_is_gone(board: Board) -> None:
    viewer = _viewer()
    board.put_states([(4, "booting"), (5, "booting"), (6, "booting")])
    viewer.show_rows([4, 5])
    (message,) = viewer.take(board)
    assert isinstance(message, str)
    assert "state-4" in message and "state-5" in message and "state-6" not in message
    viewer.acknowledge(_sequence(message))
    board.put_states([(4, "gone"), (6, "online")])
    (message,) = viewer.take(board)
    assert isinstance(message, str) and message.endswith("<i id=state-4>gone</i>")
    viewer.acknowledge(_sequence(message))
    board.put_states([(4, "requested")])  # another device in the same place
    assert viewer.take(board) == []


def test_a_gap_on_the_wall_is_closed_by_a_snapshot(board: Board) -> None:
    viewer = _viewer("wall")
    board.put_all_states(dict.fromkeys(range(50), "online"))
    viewer.take(board)
    board.put_states([(1, "offline")])
    (message,) = viewer.take(board)
    assert isinstance(message, bytes) and frames.decode(message).kind is Kind.WALL_DELTA
    viewer.unacknowledged.clear()
    viewer.forget_wall()
    (message,) = viewer.take(board)
    assert isinstance(message, bytes) and frames.decode(message).kind is Kind.WALL_SNAPSHOT
