"""What one browser has been sent and what it may be sent next. No input or output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devices.live import frames
from devices.live.board import CORES, WALL, Board
from devices.states import State

# more than this on its way to a browser that does not answer is memory that never comes back:
# Daphne has no back-pressure of its own (django/daphne#170)
MOST_UNACKNOWLEDGED = 2
MOST_ROWS = 100

RowRenderer = Callable[[int, str], str]


@dataclass(eq=False)
class Viewer:
    """A browser: the parts of the page it shows, and how far it has come with each."""

    parts: frozenset[str]
    row: RowRenderer
    console: str = ""
    hidden: bool = False
    rows: frozenset[int] = frozenset()
    unacknowledged: deque[int] = field(default_factory=deque)
    skipped: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _rows_sent: int = 0
    _wall_base: int = 0
    _console_held: tuple[int, int] | None = None

    def acknowledge(self, sequence: int) -> None:
        """The browser has done with this message, and so with all sent before it."""
        if sequence in self.unacknowledged:
            while self.unacknowledged.popleft() != sequence:
                pass

    def show_rows(self, slots: Iterable[int]) -> None:
        """The browser shows these devices in a list; at most 100."""
        self.rows = frozenset(list(slots)[:MOST_ROWS])
        self._rows_sent = 0

    def forget_wall(self) -> None:
        """The browser met a gap: the next frame is a snapshot."""
        self._wall_base = 0

    def take(self, board: Board) -> list[str | bytes]:
        """The messages to send now: the newest of what it lacks, never more than two on the way.

        What it was sent longest ago comes first, so that nothing starves on a slow line.
        """
        messages: list[str | bytes] = []
        while not self.hidden and len(self.unacknowledged) < MOST_UNACKNOWLEDGED:
            found = self._next(board)
            if found is None:
                break
            sequence, message = found
            self.unacknowledged.append(sequence)
            messages.append(message)
        return messages

    def _next(self, board: Board) -> tuple[int, str | bytes] | None:
        takers = (
            (self._sent.get("html", 0), self._html),
            (self._sent.get(CORES, 0), self._cores),
            (self._sent.get(WALL, 0), self._wall),
            (self._sent.get("console", 0), self._output),
        )
        for _, taker in sorted(takers, key=lambda pair: pair[0]):
            found = taker(board)
            if found is not None:
                return found
        return None

    def _html(self, board: Board) -> tuple[int, str | bytes] | None:
        already = self._sent.get("html", 0)
        pieces = [
            topic.payload
            for name, topic in board.topics.items()
            if name in self.parts and topic.sequence > already and isinstance(topic.payload, str)
        ]
        moved = [
            (slot, board.slots[slot]) for slot in sorted(self.rows)
            if slot in board.slots and board.slots[slot][0] > self._rows_sent
        ]
        pieces += [self.row(slot, state) for slot, (_, state) in moved]
        # a place may soon hold another device, which is not the one in this row
        self.rows -= {slot for slot, (_, state) in moved if state == State.GONE}
        self._rows_sent = self._sent["html"] = board.sequence
        if not any(pieces):
            self._sent["html"] = already if not moved else board.sequence
            return None
        return board.sequence, f"<!--{board.sequence}-->" + "".join(pieces)

    def _cores(self, board: Board) -> tuple[int, str | bytes] | None:
        topic = board.topics.get(CORES)
        if CORES not in self.parts or topic is None or topic.sequence <= self._sent.get(CORES, 0):
            return None
        self._sent[CORES] = topic.sequence
        return topic.sequence, topic.payload

    def _wall(self, board: Board) -> tuple[int, str | bytes] | None:
        if WALL not in self.parts or not board.wall_sequence:
            return None
        frame = board.wall_frame(self._wall_base)
        if frame is None:
            return None
        self._wall_base = self._sent[WALL] = board.wall_sequence
        return board.wall_sequence, frame

    def _output(self, board: Board) -> tuple[int, str | bytes] | None:
        if not self.console:
            return None
        frame = board.console_frame(self.console, self._console_held)
        if frame is None:
            return None
        ring = board.consoles[self.console]
        self._console_held = (ring.begun, ring.end)
        self._sent["console"] = frame.sequence
        return frame.sequence, frames.encode(frame)
