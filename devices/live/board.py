"""The latest of everything, each thing with the number of its last change. No input or output."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devices.live import frames
from devices.live.frames import Frame, Kind
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
        self._clock = clock
        self._busy: dict[str, tuple[float, bytes]] = {}
        self._loads: dict[str, dict[int, int]] = {}
        self._cells: dict[int, tuple[int, int, int]] = {}  # slot -> (sequence, state, load)
        self._wall_cache: dict[int, bytes] = {}
        self.wall_sequence = 0

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    def put_html(self, name: str, html: str, key: object = None) -> bool:
        """Take a fragment; False when it (or its `key`, if given) is what is there already."""
        key = html if key is None else key
        known = self.topics.get(name)
        if known is not None and known.key == key:
            return False
        self.topics[name] = Topic(self._next(), html, key)
        return True

    def put_cores(self, host: str, at: float, busy: bytes) -> None:
        """Take one host's cores; the frame holds every host heard from in the last 5 s."""
        self._busy[host] = (at, busy)
        now = self._clock()
        fresh = {h: b for h, (seen, b) in self._busy.items() if now - seen < 5.0 or h == host}
        sequence = self._next()
        frame = Frame(Kind.CORES, self.epoch, sequence, at, frames.cores(fresh))
        self.topics[CORES] = Topic(sequence, frames.encode(frame), sequence)

    def put_states(self, changes: Iterable[tuple[int, str]]) -> None:
        """Take devices' new states, by slot."""
        sequence = self._next()
        for slot, state in changes:
            self.slots[slot] = (sequence, state)
            known = self._cells.get(slot, (0, 0, 0))
            byte = frames.STATE_BYTES.get(state, 0)
            self._cells[slot] = (sequence, byte, known[2] if byte else 0)
        self._wall_moved(sequence)

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

    def put_loads(self, host: str, loads: dict[int, int]) -> None:
        """Take one host's guests: slot → load byte (0–255 of one core)."""
        sequence = self._next()
        idle = dict.fromkeys(self._loads.get(host, {}), 0)
        self._loads[host] = loads
        for slot, load in (idle | loads).items():
            seen, state, before = self._cells.get(slot, (0, 0, 0))
            if state and before != load:
                self._cells[slot] = (sequence, state, load)
        self._wall_moved(sequence)

    def _wall_moved(self, sequence: int) -> None:
        self.wall_sequence = sequence
        self._wall_cache.clear()

    def wall_frame(self, base: int) -> bytes | None:
        """What a viewer that holds `base` lacks (0: everything); None when it lacks nothing.

        Viewers with the same base share one encoding.
        """
        if base == self.wall_sequence and base:
            return None
        cached = self._wall_cache.get(base)
        if cached is None:
            cached = self._wall_cache[base] = frames.encode(self._wall(base))
        return cached

    def _wall(self, base: int) -> Frame:
        now, sequence = self._clock(), self.wall_sequence
        if base:
            changes = [
                (slot, state, load)
                for slot, (changed, state, load) in self._cells.items() if changed > base
            ]
            # six bytes a change against two a place
            if 3 * len(changes) < len(self._cells) + 8:
                payload = frames.wall_delta(base, changes)
                return Frame(Kind.WALL_DELTA, self.epoch, sequence, now, payload)
        places = 1 + max((s for s, cell in self._cells.items() if cell[1]), default=-1)
        states, loads = bytearray(places), bytearray(places)
        for slot, (_, state, load) in self._cells.items():
            if slot < places:
                states[slot], loads[slot] = state, load
        payload = frames.wall_snapshot(bytes(states), bytes(loads))
        return Frame(Kind.WALL_SNAPSHOT, self.epoch, sequence, now, payload)

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
