"""The latest of everything, each thing with the number of its last change. No input or output."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from devices.live import frames
from devices.live.frames import Frame, Kind
from devices.live.message import Message
from devices.live.wall import Wall
from devices.states import State

CONSOLE_BYTES = 64 * 1024
WALL = "wall"
CORES = "cores"


@dataclass
class Topic:
    """One thing that viewers follow; `payload` is HTML or a whole frame."""

    sequence: int
    payload: str | bytes
    key: object


@dataclass
class Console:
    """The last output of one device; `end` counts all bytes since the ring was begun."""

    sequence: int
    begun: int
    ring: bytearray = field(default_factory=bytearray)
    end: int = 0

    @property
    def start(self) -> int:
        """The place of the oldest byte still held."""
        return self.end - len(self.ring)


class Board:
    """Latest wins: what a viewer has missed is not kept, only what is true now."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.epoch = secrets.randbits(32)
        self.sequence = 0
        self.topics: dict[str, Topic] = {}
        self.consoles: dict[str, Console] = {}
        self.slots: dict[int, tuple[int, str]] = {}  # slot -> (sequence, state)
        self.emptied: dict[int, int] = {}  # slot -> sequence when its device was gone
        self._clock = clock
        self.wall = Wall(self.epoch)
        self._busy: dict[str, tuple[float, bytes]] = {}
        self._messages: dict[object, Message | None] = {}

    def _next(self) -> int:
        self.sequence += 1
        self._messages.clear()
        return self.sequence

    def put_html(self, name: str, html: str, key: object = None) -> bool:
        """Take a fragment; False when it (or its `key`, if given) is what is there already.

        Who begins gets the newest all the same.
        """
        key = html if key is None else key
        known = self.topics.get(name)
        if known is not None and known.key == key:
            if known.payload != html:
                known.payload = html
                self._messages.clear()
            return False
        self.topics[name] = Topic(self._next(), html, key)
        return True

    def forget(self, *names: str) -> None:
        """Forget fragments: they are not sent until they are put again."""
        for name in names:
            if self.topics.pop(name, None) is not None:
                self._messages.clear()

    def put_cores(self, host: str, at: float, busy: bytes) -> None:
        """Take one host's cores; the frame holds every host heard from in the last 5 s."""
        self._busy[host] = (at, busy)
        now = self._clock()
        fresh = {h: b for h, (seen, b) in self._busy.items() if now - seen < 5.0 or h == host}
        sequence = self._next()
        frame = Frame(Kind.CORES, self.epoch, sequence, at, frames.cores(fresh))
        self.topics[CORES] = Topic(sequence, frames.encode(frame), sequence)

    def put_states(self, changes: Iterable[tuple[int, str]], at: float | None = None) -> None:
        """Take devices' new states, by slot; `at` is when this was published."""
        sequence, changed = self._next(), list(changes)
        for slot, state in changed:
            self.slots[slot] = (sequence, state)
            if state == State.GONE:
                self.emptied[slot] = sequence
        self.wall.put_states(sequence, self._clock() if at is None else at, changed)

    def put_all_states(self, states: dict[int, str]) -> None:
        """Take the whole truth after a silence: slots that are not in it are empty."""
        gone = [
            (slot, str(State.GONE)) for slot, (_, state) in self.slots.items()
            if slot not in states and state != State.GONE
        ]
        moved = [
            (slot, state) for slot, state in states.items()
            if self.slots.get(slot, (0, ""))[1] != state
        ]
        self.put_states(gone + moved)

    def put_loads(
        self, host: str, guests: Iterable[Sequence[int]], at: float | None = None
    ) -> None:
        """Take one host's guests: rows of slot and thousandths of a core."""
        self.wall.put_loads(self._next(), self._clock() if at is None else at, host, guests)

    def html_message(self, parts: frozenset[str], since: int) -> Message | None:
        """The fragments among `parts` that are newer than `since`; None when there is none.

        They come in the order of their last change, for one may replace a piece of another. Viewers
        that lack the same share one message.
        """
        key = (parts, since)
        if key not in self._messages:
            pieces = [
                topic for name, topic in self.topics.items()
                if name in parts and topic.sequence > since and isinstance(topic.payload, str)
            ]
            pieces.sort(key=lambda topic: topic.sequence)
            newest = pieces[-1].sequence if pieces else 0
            html = "".join(str(topic.payload) for topic in pieces)
            self._messages[key] = Message(newest, f"<!--{newest}-->{html}") if html else None
        return self._messages[key]

    def frames_message(self, cores_since: int | None, wall_base: int | None) -> Message | None:
        """The cores if newer than `cores_since` and what the wall has more than `wall_base`.

        None stands for a part that is not shown; the answer is None when nothing is new.
        """
        key = (cores_since, wall_base)
        if key not in self._messages:
            self._messages[key] = self._frames_message(cores_since, wall_base)
        return self._messages[key]

    def _frames_message(self, cores_since: int | None, wall_base: int | None) -> Message | None:
        found: list[tuple[int, bytes]] = []
        cores = self.topics.get(CORES)
        if cores_since is not None and cores is not None and cores.sequence > cores_since:
            assert isinstance(cores.payload, bytes)
            found.append((cores.sequence, cores.payload))
        if wall_base is not None and (wall := self.wall.frame(wall_base, self._clock())):
            found.append((self.wall.sequence, wall))
        if not found:
            return None
        return Message(found[-1][0], b"".join(payload for _, payload in found))

    def begin_console(self, serial: str, output: bytes) -> None:
        """Take all that is kept of a device's output; viewers replace what they show."""
        sequence = self._next()
        ring = bytearray(output[-CONSOLE_BYTES:])
        self.consoles[serial] = Console(sequence, sequence, ring, len(ring))

    def append_console(self, serial: str, output: bytes) -> None:
        """Take what a device has just said."""
        console = self.consoles.get(serial)
        if console is None:
            return
        console.ring += output
        del console.ring[:-CONSOLE_BYTES]
        console.end += len(output)
        console.sequence = self._next()

    def forget_console(self, serial: str) -> None:
        """Nobody looks at a device's console any more."""
        self.consoles.pop(serial, None)

    def console_frame(self, serial: str, held: tuple[int, int] | None) -> Frame | None:
        """What a viewer lacks of a device's output; `held` is (ring it knows, bytes it has)."""
        console = self.consoles.get(serial)
        if console is None:
            return None
        begun, end = held or (0, 0)
        if begun == console.begun and end == console.end:
            return None
        replace = begun != console.begun or end < console.start
        first = console.start if replace else end
        payload = frames.console(first, bytes(console.ring[first - console.start :]))
        flags = frames.REPLACE if replace else 0
        return Frame(
            Kind.CONSOLE, self.epoch, console.sequence, self._clock(), payload, flags
        )
