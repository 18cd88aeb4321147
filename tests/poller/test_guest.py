from __future__ import annotations

import json

import pytest

from devices.poller.errors import BadMessage
from devices.poller.guest import GuestRef, guest_ref, parse_message

ROW = ["02fd00000001", 7, "boot", 4242, 93264]


def test_a_message_says_who_came_and_went() -> None:
    message = parse_message(json.dumps({"started": [ROW], "ended": ["02fd00000002"]}).encode())
    assert message.started == (GuestRef("02fd00000001", 7, "boot", 4242, 93264),)
    assert message.started[0].process == (4242, 93264)
    assert message.ended == ("02fd00000002",)


def test_either_half_may_be_left_out() -> None:
    assert parse_message(b"{}").started == ()
    assert parse_message(b'{"ended": ["a"]}').ended == ("a",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'{"started": 3}',
        b'{"started": [[1]]}',
        b'{"started": [["a", "b", "c", "d", "e"]]}',
    ],  # noqa: E501
)
def test_what_is_no_message_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(BadMessage, match="not"):
        parse_message(data)


def test_a_row_without_a_process_is_refused() -> None:
    with pytest.raises(BadMessage):
        guest_ref(["a", 1, "boot", None, None])
