"""Every device in its place: its state and its load, and what changed when. No input or output."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from devices.live import cells, frames, levels
from devices.live.frames import Frame, Kind

# a viewer that is further behind than this gets the whole wall
MOST_MOVES = 64


@dataclass(frozen=True)
class Move:
    """What one message changed; `at` is when it was published."""

    sequence: int
    at: float
    moved: frozenset[int] = frozenset()
    loaded: frozenset[int] = frozenset()


@dataclass
class Wall:
    """The newest of all places, and a short memory of which of them changed last.

    `sequence` is that of the last change, 0 before the first.
    """

    epoch: int
    sequence: int = 0
    _states: bytearray = field(default_factory=bytearray)
    _levels: bytearray = field(default_factory=bytearray)
    _guests: dict[str, frozenset[int]] = field(default_factory=dict)
    _moves: deque[Move] = field(default_factory=deque)
    _forgotten: int = 0
    _cache: dict[int, bytes] = field(default_factory=dict)

    def put_states(self, sequence: int, at: float, changes: Iterable[tuple[int, str]]) -> None:
        """Take devices' new states, by slot."""
        moved, loaded = set(), set()
        for slot, state in changes:
            byte = frames.STATE_BYTES.get(state, 0)
            self._grow(slot + 1)
            if self._states[slot] == byte:
                continue
            self._states[slot] = byte
            moved.add(slot)
            if not byte and self._levels[slot]:
                self._levels[slot] = 0
                loaded.add(slot)
        if moved or not self.sequence:
            self._note(Move(sequence, at, frozenset(moved), frozenset(loaded)))

    def put_loads(
        self, sequence: int, at: float, host: str, guests: Iterable[Sequence[int]]
    ) -> None:
        """Take one host's guests; a row is slot, thousandths of a core, and what else there is."""
        own, states = self._levels, self._states
        from_, to, nearest, places = levels.KEEPS_FROM, levels.KEEPS_TO, levels.nearest, len(own)
        seen, loaded = [], set()
        for row in guests:
            slot, permille = row[0], row[1]
            seen.append(slot)
            if slot >= places:
                continue
            level = own[slot]
            if not from_[level] <= permille <= to[level] and states[slot]:
                new = nearest(permille)
                if new != level:
                    own[slot] = new
                    loaded.add(slot)
        heard = frozenset(seen)
        for slot in self._guests.get(host, frozenset()) - heard:
            if own[slot]:
                own[slot] = 0
                loaded.add(slot)
        self._guests[host] = frozenset(slot for slot in heard if slot < places)
        if loaded:
            self._note(Move(sequence, at, loaded=frozenset(loaded)))

    def _grow(self, places: int) -> None:
        lacking = places - len(self._states)
        if lacking > 0:
            self._states.extend(bytes(lacking))
            self._levels.extend(bytes(lacking))

    def _note(self, move: Move) -> None:
        self.sequence = move.sequence
        self._cache.clear()
        self._moves.append(move)
        while len(self._moves) > MOST_MOVES:
            self._forgotten = self._moves.popleft().sequence

    def frame(self, base: int, now: float) -> bytes | None:
        """What a viewer that holds `base` lacks (0: everything); None when it lacks nothing.

        Viewers with the same base share one encoding.
        """
        if base == self.sequence:
            return None
        cached = self._cache.get(base)
        if cached is None:
            cached = self._cache[base] = frames.encode(self._frame(base, now))
        return cached

    def _frame(self, base: int, now: float) -> Frame:
        lacking = [move for move in self._moves if move.sequence > base]
        if not base or base < self._forgotten:
            occupied = [slot for slot, state in enumerate(self._states) if state]
            glowing = [slot for slot, level in enumerate(self._levels) if level]
            payload = cells.write(0, self._states, self._levels, occupied, glowing)
            return Frame(Kind.WALL_SNAPSHOT, self.epoch, self.sequence, now, payload)
        moved = frozenset[int]().union(*(move.moved for move in lacking))
        loaded = frozenset[int]().union(*(move.loaded for move in lacking))
        payload = cells.write(base, self._states, self._levels, moved, loaded)
        at = min((m.at for m in lacking if m.moved), default=lacking[-1].at)
        return Frame(Kind.WALL_DELTA, self.epoch, self.sequence, at, payload)
