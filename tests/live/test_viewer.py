from __future__ import annotations

import pytest

from devices.live import frames
from devices.live.board import Board
from devices.live.frames import Kind
from devices.live.message import Message
from devices.live.viewer import MOST_UNACKNOWLEDGED, Viewer


def _row(slot: int, state: str) -> str:
    return f"<i id=state-{slot}>{state}</i>"


@pytest.fixture
def board() -> Board:
    return Board()


def _viewer(*parts: str) -> Viewer:
    return Viewer(frozenset(parts), _row)


def _html(message: Message) -> str:
    assert isinstance(message.content, str)
    assert message.content.startswith(f"<!--{message.sequence}-->")
    return message.content.partition("-->")[2]


def _frames(message: Message) -> list[frames.Frame]:
    assert isinstance(message.content, bytes)
    found = frames.decode_all(message.content)
    assert found[-1].sequence == message.sequence
    return found


def test_a_viewer_gets_only_what_it_shows(board: Board) -> None:
    board.put_html("counts", "<p id=counts>")
    board.put_html("hosts", "<p id=hosts>")
    board.put_cores("a", 1.0, b"\1")
    (message,) = _viewer("counts").take(board)
    assert _html(message) == "<p id=counts>"


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
    assert viewer.waits
    viewer.acknowledge(first[0].sequence)
    assert len(viewer.take(board)) == 1
    assert viewer.take(board) == []


def test_who_lagged_gets_the_newest_and_not_what_was_missed(board: Board) -> None:
    viewer = _viewer("cores")
    sent: list[Message] = []
    for n in range(10):
        board.put_cores("a", float(n), bytes([n]))
        sent += viewer.take(board)
    assert len(sent) == 2
    viewer.acknowledge(sent[1].sequence)  # acknowledges the earlier one too
    (message,) = viewer.take(board)
    (frame,) = _frames(message)
    assert frames.read_cores(frame.payload) == {"a": b"\x09"}


def test_nothing_starves_on_a_slow_line(board: Board) -> None:
    viewer = _viewer("counts", "cores", "wall")
    sent: list[Message] = []
    for n in range(12):
        board.put_cores("a", float(n), bytes([n]))
        board.put_html("counts", str(n))
        board.put_states([(0, "online" if n % 2 else "booting")])
        sent += viewer.take(board)
        if n % 2:
            viewer.acknowledge(viewer.unacknowledged[0])
    html = [isinstance(message.content, str) for message in sent]
    assert len(sent) >= 6 and {tuple(html[n : n + 2]) for n in range(0, 6, 2)} <= {
        (True, False), (False, True),
    }


def test_a_hidden_tab_gets_nothing_and_the_newest_on_its_return(board: Board) -> None:
    viewer = _viewer("counts")
    viewer.hide(True)
    board.put_html("counts", "old")
    assert viewer.take(board) == []
    board.put_html("counts", "new")
    viewer.hide(False)
    (message,) = viewer.take(board)
    assert _html(message) == "new"


def test_the_wall_of_a_tab_that_is_seen_again_begins_with_a_snapshot(board: Board) -> None:
    viewer = _viewer("wall")
    board.put_all_states({0: "online"})
    viewer.take(board)
    viewer.unacknowledged.clear()
    viewer.hide(True)
    board.put_states([(1, "online")])
    viewer.hide(False)
    (message,) = viewer.take(board)
    assert [frame.kind for frame in _frames(message)] == [Kind.WALL_SNAPSHOT]


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
    html = _html(message)
    assert "state-4" in html and "state-5" in html and "state-6" not in html
    viewer.acknowledge(message.sequence)
    board.put_states([(4, "gone"), (6, "online")])
    (message,) = viewer.take(board)
    assert _html(message) == "<i id=state-4>gone</i>"
    viewer.acknowledge(message.sequence)
    board.put_states([(4, "requested")])  # another device in the same place
    assert viewer.take(board) == []


def test_a_row_whose_place_was_given_away_unseen_is_gone(board: Board) -> None:
    viewer = _viewer()
    board.put_states([(4, "stopping"), (5, "gone")])
    board.put_states([(5, "requested")])  # before this list was shown
    viewer.show_rows([4, 5])
    (message,) = viewer.take(board)
    assert _html(message) == "<i id=state-4>stopping</i><i id=state-5>requested</i>"
    viewer.acknowledge(message.sequence)
    viewer.hide(True)
    board.put_states([(4, "gone")])
    board.put_states([(4, "requested"), (5, "online")])
    viewer.hide(False)
    (message,) = viewer.take(board)
    assert _html(message) == "<i id=state-4>gone</i><i id=state-5>online</i>"
    viewer.acknowledge(message.sequence)
    board.put_states([(4, "online")])
    assert viewer.take(board) == []


def test_a_gap_on_the_wall_is_closed_by_a_snapshot(board: Board) -> None:
    viewer = _viewer("wall")
    board.put_all_states(dict.fromkeys(range(50), "online"))
    viewer.take(board)
    board.put_states([(1, "offline")])
    (message,) = viewer.take(board)
    assert [frame.kind for frame in _frames(message)] == [Kind.WALL_DELTA]
    viewer.unacknowledged.clear()
    viewer.forget_wall()
    (message,) = viewer.take(board)
    assert [frame.kind for frame in _frames(message)] == [Kind.WALL_SNAPSHOT]


def test_viewers_of_the_same_parts_are_given_the_same_message(board: Board) -> None:
    board.put_cores("a", 1.0, b"\1")
    board.put_html("counts", "1")
    board.put_all_states({0: "online"})
    first, second = _viewer("counts", "cores", "wall"), _viewer("counts", "cores", "wall")
    for one, other in zip(first.take(board), second.take(board), strict=True):
        assert one is other


def test_a_console_travels_with_the_frames(board: Board) -> None:
    viewer = Viewer(frozenset({"cores"}), _row, console="fd-1")
    board.put_cores("a", 1.0, b"\1")
    board.begin_console("fd-1", b"U-Boot")
    (message,) = viewer.take(board)
    assert [frame.kind for frame in _frames(message)] == [Kind.CORES, Kind.CONSOLE]
    assert viewer.take(board) == []
    board.append_console("fd-1", b" 2023")
    (message,) = viewer.take(board)
    assert frames.read_console(_frames(message)[0].payload) == (6, b" 2023")


def test_who_asks_whether_anybody_is_there_is_answered(board: Board) -> None:
    board.put_cores("a", 1.0, b"\1")
    viewer = _viewer()
    assert viewer.take(board) == []
    viewer.answer()
    (message,) = viewer.take(board)
    assert _html(message) == "<!--here-->"
    assert viewer.take(board) == []
    viewer.tell("<p>You type.</p>")
    viewer.answer()
    (message,) = viewer.take(board)
    assert _html(message) == "<p>You type.</p>"
