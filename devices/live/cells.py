"""The wall's bytes: places in, bytes out, and back.

A payload tells of places by their slot number, in order:

    u32      sequence this builds on (0 in a snapshot: everything not told of is empty)
    varint   places: the highest occupied slot and one
    varint   runs of places that changed their state, for each run
      varint   places skipped since the last run
      varint   (places in the run − 1) × 16 + state
    u8       how loads are told: NONE, SOME or ALL
      SOME     varint count; for each a varint: (places skipped since the last) × 16 + level
      ALL      half a byte for each place, the first in the high half, padded to a whole byte

A varint is seven bits a byte, lowest first, the highest bit set on all but the last. A place that
becomes empty (state 0) has level 0 without being told. Levels are those of
`devices/live/levels.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from devices.live.frames import BadFrame

NONE, SOME, ALL = 0, 1, 2
MOST_PLACES = 1 << 24

_HEX = b"0123456789abcdef" + bytes(240)


def _varint(value: int, out: bytearray) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _runs(slots: Iterable[int], states: Sequence[int], out: bytearray) -> None:
    """Append the runs of equal state among sorted slots."""
    runs: list[tuple[int, int, int]] = []  # first, length, state
    for slot in slots:
        state = states[slot]
        if runs:
            first, length, same = runs[-1]
            if slot == first + length and state == same:
                runs[-1] = (first, length + 1, same)
                continue
        runs.append((slot, 1, state))
    _varint(len(runs), out)
    end = 0
    for first, length, state in runs:
        _varint(first - end, out)
        _varint((length - 1) << 4 | state, out)
        end = first + length


def _some(slots: Iterable[int], levels: Sequence[int]) -> bytearray:
    out = bytearray()
    count, end = 0, 0
    for slot in slots:
        _varint((slot - end) << 4 | levels[slot], out)
        end = slot + 1
        count += 1
    head = bytearray((SOME,))
    _varint(count, head)
    return head + out


def _all(levels: bytes) -> bytes:
    digits = levels.translate(_HEX) + (b"0" if len(levels) % 2 else b"")
    return bytes((ALL,)) + bytes.fromhex(digits.decode("ascii"))


def write(
    base: int, states: bytearray, levels: bytearray, moved: Iterable[int], loaded: Iterable[int]
) -> bytes:
    """The payload that tells of the slots in `moved` (state) and `loaded` (level)."""
    places = len(states.rstrip(b"\0"))
    out = bytearray(base.to_bytes(4, "little"))
    _varint(places, out)
    _runs(sorted(moved), states, out)
    glowing = sorted(slot for slot in loaded if slot < places)
    half = places // 2
    if not glowing:
        out.append(NONE)
    elif len(glowing) > half or len(some := _some(glowing, levels)) > half + 1:
        out += _all(bytes(levels[:places]))
    else:
        out += some
    return bytes(out)


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.at = 4

    def byte(self) -> int:
        if self.at >= len(self.payload):
            raise BadFrame("a wall's payload is cut short")
        self.at += 1
        return self.payload[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 28:
                raise BadFrame("a number in a wall's payload is too long")


def read(payload: bytes, states: bytearray, levels: bytearray) -> int:
    """Bring `states` and `levels` up to the payload and give the sequence it built on.

    The caller clears both for a snapshot. Raises BadFrame when the payload makes no sense.
    """
    reader = _Reader(payload)
    base = int.from_bytes(payload[:4], "little")
    places = reader.varint()
    if places > MOST_PLACES:
        raise BadFrame(f"{places} places are too many")
    slot = 0
    for _ in range(reader.varint()):
        slot += reader.varint()
        word = reader.varint()
        state, length = word & 15, (word >> 4) + 1
        if slot + length > MOST_PLACES:
            raise BadFrame("a place is too far out")
        _grow(slot + length, states, levels)
        states[slot : slot + length] = bytes((state,)) * length
        if state == 0:
            levels[slot : slot + length] = bytes(length)
        slot += length
    _grow(places, states, levels)
    del states[places:], levels[places:]
    _read_levels(reader, levels)
    if reader.at != len(payload):
        raise BadFrame("a wall's payload has something left over")
    return base


def _grow(places: int, *arrays: bytearray) -> None:
    for array in arrays:
        array.extend(bytes(max(0, places - len(array))))


def _read_levels(reader: _Reader, levels: bytearray) -> None:
    form = reader.byte()
    if form == SOME:
        slot = 0
        for _ in range(reader.varint()):
            word = reader.varint()
            slot += word >> 4
            if slot >= len(levels):
                raise BadFrame("a load is beyond the wall")
            levels[slot] = word & 15
            slot += 1
    elif form == ALL:
        packed = reader.payload[reader.at : reader.at + (len(levels) + 1) // 2]
        reader.at += len(packed)
        if len(packed) != (len(levels) + 1) // 2:
            raise BadFrame("a wall's payload is cut short")
        for slot in range(len(levels)):
            levels[slot] = packed[slot // 2] >> 4 if slot % 2 == 0 else packed[slot // 2] & 15
    elif form != NONE:
        raise BadFrame(f"loads are told in the unknown form {form}")
