"""What one browser has been sent and what it may be sent next. No input or output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from devices.live import frames
from devices.live.board import CORES, WALL, Board
from devices.live.message import Message
from devices.states import State

# more than this on its way to a browser that does not answer is memory that never comes back:
# Daphne has no back-pressure of its own (django/daphne#170)
MOST_UNACKNOWLEDGED = 2
MOST_ROWS = 100
HERE = "<!--here-->"

RowRenderer = Callable[[int, str], str]


@dataclass(eq=False)
class Viewer:
    """A browser: the parts of the page it shows, and how far it has come with each.

    `waits` says that there was more than it could be given: its next acknowledgement asks for it.
    """

    parts: frozenset[str]
    row: RowRenderer
    console: str = ""
    hidden: bool = False
    rows: frozenset[int] = frozenset()
    unacknowledged: deque[int] = field(default_factory=deque)
    waits: bool = False
    _aside: str = ""
    _html_sent: int = 0
    _frames_sent: int = 0
    _rows_sent: int = 0
    _cores_sent: int = 0
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

    def hide(self, hidden: bool) -> None:
        """The tab is hidden, or seen again: it then begins with a snapshot."""
        if self.hidden and not hidden:
            self.forget_wall()
        self.hidden = hidden

    def forget_wall(self) -> None:
        """The browser met a gap: the next frame is a snapshot."""
        self._wall_base = 0

    def tell(self, html: str) -> None:
        """Something for this browser alone; what it has not been sent yet is replaced."""
        self._aside = html

    def answer(self) -> None:
        """The browser asks whether anybody is there: it is sent something, if only this."""
        self._aside = self._aside or HERE

    def take(self, board: Board) -> list[Message]:
        """The messages to send now: the newest of what it lacks, never more than two on the way.

        What it was sent longest ago comes first, so that nothing starves on a slow line.
        """
        messages: list[Message] = []
        self.waits = False
        while not self.hidden:
            if len(self.unacknowledged) >= MOST_UNACKNOWLEDGED:
                self.waits = True
                break
            found = self._next(board)
            if found is None:
                break
            self.unacknowledged.append(found.sequence)
            messages.append(found)
        return messages

    def _next(self, board: Board) -> Message | None:
        if self._html_sent < self._frames_sent:
            return self._html(board) or self._frames(board)
        return self._frames(board) or self._html(board)

    def _html(self, board: Board) -> Message | None:
        moved = list(self._moved(board))
        found = board.html_message(self.parts, self._html_sent)
        if moved or self._aside:
            pieces = "".join(self.row(slot, state) for slot, state in moved) + self._aside
            self._aside = ""
            shared = str(found.content).partition("-->")[2] if found else ""
            found = Message(board.sequence, f"<!--{board.sequence}-->{shared}{pieces}")
            # a place may soon hold another device, which is not the one in this row
            self.rows -= {slot for slot, state in moved if state == State.GONE}
            self._rows_sent = board.sequence
        if found is not None:
            self._html_sent = found.sequence
        return found

    def _moved(self, board: Board) -> Iterator[tuple[int, str]]:
        """The rows that are news: slot, and the state of the device that was there when told of.

        When its place was emptied meanwhile it is gone, whoever is there now.
        """
        told = self._rows_sent
        for slot in sorted(self.rows):
            sequence, state = board.slots.get(slot, (0, ""))
            if sequence > told:
                emptied = told and board.emptied.get(slot, 0) > told
                yield slot, State.GONE if emptied else state

    def _frames(self, board: Board) -> Message | None:
        found = board.frames_message(
            self._cores_sent if CORES in self.parts else None,
            self._wall_base if WALL in self.parts else None,
        )
        if found is not None:
            self._cores_sent = board.topics[CORES].sequence if CORES in board.topics else 0
            self._wall_base = board.wall.sequence
            self._frames_sent = found.sequence
        return self._with_console(board, found)

    def _with_console(self, board: Board, found: Message | None) -> Message | None:
        output = board.console_frame(self.console, self._console_held) if self.console else None
        if output is None:
            return found
        ring = board.consoles[self.console]
        self._console_held = (ring.begun, ring.end)
        self._frames_sent = output.sequence
        shared = found.content if found and isinstance(found.content, bytes) else b""
        return Message(output.sequence, shared + frames.encode(output))
