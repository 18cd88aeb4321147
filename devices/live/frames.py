"""Binary frames of the live socket: bytes in, bytes out.

A frame is a 20-byte little-endian header and a payload:

    u8 version · u8 kind · u16 flags · u32 epoch · u32 sequence · f64 time (Unix seconds)

`epoch` is drawn when a hub starts: a viewer that sees a new one forgets what it knew. `sequence`
is the hub's own counter, so that one encoding serves everybody; a viewer acknowledges it.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devices.states import State

VERSION = 1
HEADER = struct.Struct("<BBHIId")
_COUNT = struct.Struct("<I")
_CHANGE = struct.Struct("<IBB")
_OFFSET = struct.Struct("<Q")

REPLACE = 1  # flag of a console frame: what came before is to be forgotten

# a state's byte on the wall; 0 is an empty place
STATE_BYTES: dict[str, int] = {str(state): index for index, state in enumerate(State, start=1)}
STATE_BYTES[State.GONE] = 0


class BadFrame(ValueError):
    """Bytes that are no frame of this version."""


class Kind(enum.IntEnum):
    """What a frame's payload holds."""

    CORES = 1
    WALL_SNAPSHOT = 2
    WALL_DELTA = 3
    CONSOLE = 4


@dataclass(frozen=True)
class Frame:
    """A decoded frame."""

    kind: Kind
    epoch: int
    sequence: int
    at: float
    payload: bytes
    flags: int = 0


def encode(frame: Frame) -> bytes:
    """The frame's bytes."""
    header = HEADER.pack(
        VERSION, frame.kind, frame.flags, frame.epoch, frame.sequence, frame.at
    )
    return header + frame.payload


def decode(message: bytes) -> Frame:
    """The frame in `message`; raises BadFrame when it is cut short, unknown or of a new version."""
    if len(message) < HEADER.size:
        raise BadFrame(f"{len(message)} bytes are too few for a frame")
    version, kind, flags, epoch, sequence, at = HEADER.unpack_from(message)
    if version != VERSION:
        raise BadFrame(f"frame version {version} is not {VERSION}")
    try:
        known = Kind(kind)
    except ValueError:
        raise BadFrame(f"frame kind {kind} is unknown") from None
    return Frame(known, epoch, sequence, at, message[HEADER.size :], flags)


def cores(hosts: Mapping[str, bytes]) -> bytes:
    """Payload: for each host u8 length, name, u16 cores, then a byte of busy a core."""
    parts = []
    for name, busy in hosts.items():
        encoded = name.encode()[:255]
        parts.append(struct.pack("<B", len(encoded)) + encoded)
        parts.append(struct.pack("<H", len(busy)) + busy)
    return b"".join(parts)


def read_cores(payload: bytes) -> dict[str, bytes]:
    """The hosts of a cores payload; raises BadFrame when it is cut short."""
    hosts: dict[str, bytes] = {}
    at = 0
    try:
        while at < len(payload):
            (length,) = struct.unpack_from("<B", payload, at)
            name = payload[at + 1 : at + 1 + length].decode()
            at += 1 + length
            (count,) = struct.unpack_from("<H", payload, at)
            hosts[name] = payload[at + 2 : at + 2 + count]
            if len(hosts[name]) != count:
                raise BadFrame("a cores frame is cut short")
            at += 2 + count
    except (struct.error, UnicodeDecodeError) as error:
        raise BadFrame("a cores frame is cut short") from error
    return hosts


def wall_snapshot(states: bytes, load: bytes) -> bytes:
    """Payload: u32 places, a state byte for each place, then a load byte for each."""
    if len(states) != len(load):
        raise BadFrame("a wall needs as many states as loads")
    return _COUNT.pack(len(states)) + states + load


def read_wall_snapshot(payload: bytes) -> tuple[bytes, bytes]:
    """States and loads of a snapshot; raises BadFrame when it is cut short."""
    if len(payload) < _COUNT.size:
        raise BadFrame("a wall snapshot is cut short")
    (count,) = _COUNT.unpack_from(payload)
    body = payload[_COUNT.size :]
    if len(body) != 2 * count:
        raise BadFrame("a wall snapshot is cut short")
    return body[:count], body[count:]


def wall_delta(base: int, changes: Iterable[tuple[int, int, int]]) -> bytes:
    """Payload: u32 sequence this builds on, then u32 slot, state byte, load byte for each change.

    A viewer that does not hold `base` asks for a snapshot.
    """
    return _COUNT.pack(base) + b"".join(_CHANGE.pack(*change) for change in changes)


def read_wall_delta(payload: bytes) -> tuple[int, list[tuple[int, int, int]]]:
    """Base and changes of a delta; raises BadFrame when it is cut short."""
    if len(payload) < _COUNT.size or (len(payload) - _COUNT.size) % _CHANGE.size:
        raise BadFrame("a wall delta is cut short")
    (base,) = _COUNT.unpack_from(payload)
    changes = [(s, state, load) for s, state, load in _CHANGE.iter_unpack(payload[_COUNT.size :])]
    return base, changes


def console(offset: int, output: bytes) -> bytes:
    """Payload: u64 place of the first byte in all the device has said, then the output."""
    return _OFFSET.pack(offset) + output


def read_console(payload: bytes) -> tuple[int, bytes]:
    """Offset and output of a console payload; raises BadFrame when it is cut short."""
    if len(payload) < _OFFSET.size:
        raise BadFrame("a console frame is cut short")
    (offset,) = _OFFSET.unpack_from(payload)
    return offset, payload[_OFFSET.size :]
