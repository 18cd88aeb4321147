"""Binary frames of the live socket: bytes in, bytes out.

A message is one frame or several, one behind the other. A frame is a 24-byte little-endian header
and a payload:

    u8 version · u8 kind · u16 flags · u32 epoch · u32 sequence · f64 time · u32 payload's length

`epoch` is drawn when a hub starts: a viewer that sees a new one forgets what it knew. `sequence`
is the hub's own counter, so that one encoding serves everybody; a viewer acknowledges that of the
last frame of a message. `time` (Unix seconds) is when what the frame shows was measured or, for a
delta of the wall, when the oldest of its changes was published. What is in a wall's payload is in
`devices/live/cells.py`.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from devices.states import State

VERSION = 2
HEADER = struct.Struct("<BBHIIdI")
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
        VERSION, frame.kind, frame.flags, frame.epoch, frame.sequence, frame.at,
        len(frame.payload),
    )
    return header + frame.payload


def decode_all(message: bytes) -> list[Frame]:
    """The frames of a message.

    Raises BadFrame when there is none, or one is cut short, unknown or of another version.
    """
    found: list[Frame] = []
    at = 0
    while at < len(message) or not found:
        if len(message) - at < HEADER.size:
            raise BadFrame(f"{len(message) - at} bytes are too few for a frame")
        version, kind, flags, epoch, sequence, time, length = HEADER.unpack_from(message, at)
        if version != VERSION:
            raise BadFrame(f"frame version {version} is not {VERSION}")
        try:
            known = Kind(kind)
        except ValueError:
            raise BadFrame(f"frame kind {kind} is unknown") from None
        at += HEADER.size
        payload = message[at : at + length]
        if len(payload) != length:
            raise BadFrame("a frame's payload is cut short")
        at += length
        found.append(Frame(known, epoch, sequence, time, payload, flags))
    return found


def decode(message: bytes) -> Frame:
    """The only frame in `message`; raises BadFrame when there are more, or as `decode_all` does."""
    found = decode_all(message)
    if len(found) != 1:
        raise BadFrame(f"{len(found)} frames where one was expected")
    return found[0]


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


def console(offset: int, output: bytes) -> bytes:
    """Payload: u64 place of the first byte in all the device has said, then the output."""
    return _OFFSET.pack(offset) + output


def read_console(payload: bytes) -> tuple[int, bytes]:
    """Offset and output of a console payload; raises BadFrame when it is cut short."""
    if len(payload) < _OFFSET.size:
        raise BadFrame("a console frame is cut short")
    (offset,) = _OFFSET.unpack_from(payload)
    return offset, payload[_OFFSET.size :]
