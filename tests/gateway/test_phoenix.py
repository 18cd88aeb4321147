from __future__ import annotations

import json
from typing import Any

import pytest

from devices.gateway import phoenix
from devices.gateway.errors import BadMessage
from devices.gateway.phoenix import Message


def test_it_reads_what_it_writes() -> None:
    message = Message("1", "2", "device", "phx_join", {"a": [1, None]})
    assert phoenix.decode(phoenix.encode(message)) == message
    assert json.loads(phoenix.encode(message)) == ["1", "2", "device", "phx_join", {"a": [1, None]}]


def test_bare_numbers_as_references_are_read_as_strings() -> None:
    assert phoenix.decode('[1, 2, "device", "x", {}]').ref == "2"


def test_a_reply_carries_both_references() -> None:
    answer = phoenix.reply(Message("1", "7", "extensions", "phx_join"), "ok", ["health"])
    assert answer == Message(
        "1", "7", "extensions", "phx_reply", {"status": "ok", "response": ["health"]}
    )


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        [1, 2, 3, 4],
        [None, None, "t", "e", []],
        [None, None, "", "e", {}],
        [None, None, "t", 5, {}],
        [[], None, "t", "e", {}],
        [True, None, "t", "e", {}],
        [None, None, "t" * 201, "e", {}],
        [10**30, None, "t", "e", {}],
    ],
)
def test_other_shapes_are_refused(value: Any) -> None:
    with pytest.raises(BadMessage):
        phoenix.decode(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[" * 60_000, "nonsense"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadMessage, match="not JSON"):
        phoenix.decode(text)
