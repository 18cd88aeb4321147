from __future__ import annotations

import struct

import pytest

from devices.live import frames
from devices.live.frames import BadFrame, Frame, Kind
from devices.states import State


def test_a_frame_comes_back_as_it_was() -> None:
    frame = Frame(Kind.CONSOLE, 0xDEADBEEF, 7, 1234.5, b"payload", frames.REPLACE)
    assert frames.decode(frames.encode(frame)) == frame


def test_the_header_is_what_the_page_reads() -> None:
    """static/js/frames.js reads these places."""
    message = frames.encode(Frame(Kind.CORES, 2, 3, 4.0, b"x"))
    assert len(message) == 25
    assert message[:2] == b"\x02\x01"
    assert struct.unpack_from("<I", message, 4) == (2,)
    assert struct.unpack_from("<I", message, 8) == (3,)
    assert struct.unpack_from("<d", message, 12) == (4.0,)
    assert struct.unpack_from("<I", message, 20) == (1,)


def test_a_message_of_several_frames_comes_apart_again() -> None:
    sent = [Frame(Kind.CORES, 1, n, 2.0, b"x" * n) for n in range(4)]
    assert frames.decode_all(b"".join(map(frames.encode, sent))) == sent
    with pytest.raises(BadFrame):
        frames.decode(b"".join(map(frames.encode, sent)))


@pytest.mark.parametrize(
    "message", [
        b"", b"\x02" * 23, b"\x01\x01" + b"\0" * 22, b"\x02\x63" + b"\0" * 22,
        b"\x02\x01" + b"\0" * 18 + b"\5\0\0\0" + b"four",
    ],
)
def test_what_is_no_frame_is_refused(message: bytes) -> None:
    with pytest.raises(BadFrame):
        frames.decode(message)


def test_cores_of_several_hosts() -> None:
    hosts = {"a": bytes(range(192)), "zwei": b"", "ü": b"\xff"}
    assert frames.read_cores(frames.cores(hosts)) == hosts


def test_192_cores_are_a_small_frame() -> None:
    message = frames.encode(Frame(Kind.CORES, 1, 1, 1.0, frames.cores({"h": bytes(192)})))
    assert len(message) < 224


def test_cut_cores_are_refused() -> None:
    payload = frames.cores({"host": b"\x01\x02\x03"})
    for length in range(1, len(payload)):
        with pytest.raises(BadFrame):
            frames.read_cores(payload[:length])


def test_every_state_has_a_byte_of_its_own_and_gone_is_an_empty_place() -> None:
    assert frames.STATE_BYTES[State.GONE] == 0
    assert len(set(frames.STATE_BYTES.values())) == len(State)


def test_console_payload() -> None:
    assert frames.read_console(frames.console(5, b"hello")) == (5, b"hello")
