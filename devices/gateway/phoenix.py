"""Phoenix Channels V2: a message is `[join_ref, ref, topic, event, payload]` in JSON.

See `Phoenix.Socket.V2.JSONSerializer`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from devices.gateway.errors import BadMessage

MESSAGE_BYTES = 64 * 1024
NAME_LENGTH = 200


@dataclass(frozen=True)
class Message:
    """One message; references are strings, or None where there is none."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: dict[str, Any] = field(default_factory=dict)


def _reference(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= NAME_LENGTH):
        return value
    # the AtomVM and C clients count with bare numbers
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return str(value)
    raise BadMessage("A reference is neither a string nor null.")


def _name(value: object, what: str) -> str:
    if isinstance(value, str) and 0 < len(value) <= NAME_LENGTH:
        return value
    raise BadMessage(f"The {what} is not a string of 1 to {NAME_LENGTH} characters.")


def decode(text: str) -> Message:
    """The message in a text frame; raises BadMessage."""
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage("The message is not JSON.") from error
    if not isinstance(parts, list) or len(parts) != 5:
        raise BadMessage("The message is not an array of five.")
    join_ref, ref, topic, event, payload = parts
    if not isinstance(payload, dict):
        raise BadMessage("The payload is not an object.")
    return Message(
        _reference(join_ref), _reference(ref), _name(topic, "topic"), _name(event, "event"), payload
    )


def encode(message: Message) -> str:
    """The text frame of a message."""
    return json.dumps(
        [message.join_ref, message.ref, message.topic, message.event, message.payload],
        separators=(",", ":"),
    )


def reply(to: Message, status: str, response: Any = None) -> Message:
    """The answer to a message: `status` is `ok` or `error`."""
    payload = {"status": status, "response": {} if response is None else response}
    return Message(to.join_ref, to.ref, to.topic, "phx_reply", payload)
