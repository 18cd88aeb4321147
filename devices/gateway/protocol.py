"""The device socket, pure: a connection's state and what arrived give a new state and effects."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from devices.gateway import phoenix
from devices.gateway.errors import BadMessage
from devices.gateway.phoenix import Message

HEARTBEAT_TIMEOUT_S = 180.0
# a device that is thought offline while its socket lives is noticed within this time
RECONFIRM_S = 60.0
WINDOW_S = 10.0
MESSAGES_A_WINDOW = 200
METRICS = 64
WANTED_EXTENSIONS = ("health",)

NORMAL, UNSUPPORTED, INVALID, POLICY, TOO_BIG = 1000, 1003, 1007, 1008, 1009
RESTART = 1012


class Phase(enum.Enum):
    """Where a connection is in its life."""

    OPEN = "open"  # authenticated, has joined nothing
    JOINED = "joined"
    LEAVING = "leaving"  # it said that it reboots or shuts down
    CLOSED = "closed"


@dataclass(frozen=True)
class Send:
    """Send this message to the device."""

    message: Message


@dataclass(frozen=True)
class Close:
    """Close the socket; codes are RFC 6455's."""

    code: int
    reason: str


@dataclass(frozen=True)
class Heard:
    """The device was heard from."""


@dataclass(frozen=True)
class Connected:
    """The device holds a connection: if it was thought offline, it is not."""


@dataclass(frozen=True)
class ReportHealth:
    """What the device measured of itself, numbers by name."""

    metrics: dict[str, float]


@dataclass(frozen=True)
class Leaving:
    """The device said that it reboots or shuts down."""


Effect: TypeAlias = Send | Close | Heard | Connected | ReportHealth | Leaving


@dataclass(frozen=True)
class Connection:
    """One authenticated connection; times are of a monotonic clock, in seconds."""

    serial: str
    heard_at_s: float
    phase: Phase = Phase.OPEN
    joined: Mapping[str, str | None] = field(default_factory=dict)
    confirmed_at_s: float = -math.inf
    window_at_s: float = -math.inf
    in_window: int = 0


Step: TypeAlias = tuple[Connection, list[Effect]]


def close(connection: Connection, code: int, reason: str) -> Step:
    """End a connection from this side."""
    return replace(connection, phase=Phase.CLOSED), [Close(code, reason)]


def received_text(connection: Connection, text: str, now_s: float) -> Step:
    """A text frame arrived."""
    if connection.phase is Phase.CLOSED:
        return connection, []
    if now_s - connection.window_at_s >= WINDOW_S:
        connection = replace(connection, window_at_s=now_s, in_window=0)
    connection = replace(connection, heard_at_s=now_s, in_window=connection.in_window + 1)
    if connection.in_window > MESSAGES_A_WINDOW:
        return close(
            connection, POLICY, f"more than {MESSAGES_A_WINDOW} messages in {WINDOW_S:.0f} s"
        )
    # a character is at least a byte, so a short text need not be encoded to be measured
    if len(text) > phoenix.MESSAGE_BYTES or len(text.encode()) > phoenix.MESSAGE_BYTES:
        return close(connection, TOO_BIG, f"a message is at most {phoenix.MESSAGE_BYTES} bytes")
    try:
        message = phoenix.decode(text)
    except BadMessage as error:
        return close(connection, INVALID, str(error))
    return _received(connection, message, now_s)


def received_bytes(connection: Connection) -> Step:
    """A binary frame arrived; the protocol has none."""
    if connection.phase is Phase.CLOSED:
        return connection, []
    return close(connection, UNSUPPORTED, "only text frames are understood")


def order(connection: Connection, event: str) -> Message | None:
    """The push that tells a device to do something; None when it has not joined, or is leaving."""
    if connection.phase is not Phase.JOINED:
        return None
    return Message(connection.joined.get("device"), None, "device", event)


def silence_deadline_s(connection: Connection) -> float:
    """When the connection is given up unless something is heard."""
    return connection.heard_at_s + HEARTBEAT_TIMEOUT_S


def ticked(connection: Connection, now_s: float) -> Step:
    """Time has passed."""
    if connection.phase is Phase.CLOSED or now_s < silence_deadline_s(connection):
        return connection, []
    return close(connection, NORMAL, f"nothing was heard for {HEARTBEAT_TIMEOUT_S:.0f} s")


def _received(connection: Connection, message: Message, now_s: float) -> Step:
    match message.topic, message.event:
        case "phoenix", "heartbeat":
            connection, effects = _confirmed(connection, now_s)
            return connection, [Send(phoenix.reply(message, "ok")), Heard(), *effects]
        case topic, "phx_join":
            return _join(connection, message, topic, now_s)
        case topic, "phx_leave":
            joined = {t: ref for t, ref in connection.joined.items() if t != topic}
            phase = Phase.OPEN if "device" not in joined else connection.phase
            left = replace(connection, joined=joined, phase=phase)
            return left, [Send(phoenix.reply(message, "ok")), Heard()]
        case topic, _ if topic not in connection.joined:
            error = phoenix.reply(message, "error", {"reason": "unmatched topic"})
            return connection, [Send(error), Heard()]
        case "extensions", "health:report":
            metrics = health_metrics(message.payload)
            return connection, [Heard(), *([ReportHealth(metrics)] if metrics else [])]
        case "device", "rebooting" | "shutting_down":
            return replace(connection, phase=Phase.LEAVING), [Heard(), Leaving()]
        case _:
            return connection, [Heard()]


def _confirmed(connection: Connection, now_s: float) -> Step:
    joined = connection.phase is Phase.JOINED
    if joined and now_s - connection.confirmed_at_s >= RECONFIRM_S:
        return replace(connection, confirmed_at_s=now_s), [Connected()]
    return connection, []


def _join(connection: Connection, message: Message, topic: str, now_s: float) -> Step:
    joined = {**connection.joined, topic: message.join_ref}
    if topic == "device":
        connection = replace(connection, joined=joined, phase=Phase.JOINED, confirmed_at_s=now_s)
        ask = Message(message.join_ref, None, "device", "extensions:get")
        return connection, [
            Send(phoenix.reply(message, "ok")),
            Heard(),
            Connected(),
            Send(ask),
        ]
    if topic == "extensions" and "device" in connection.joined:
        wanted = [name for name in WANTED_EXTENSIONS if name in message.payload]
        reply = phoenix.reply(message, "ok", wanted)
        return replace(connection, joined=joined), [Send(reply), Heard()]
    reason = "join device first" if topic == "extensions" else "unmatched topic"
    return connection, [Send(phoenix.reply(message, "error", {"reason": reason})), Heard()]


def health_metrics(payload: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a health report's metrics, at most 64; empty when there are none."""
    value = payload.get("value")
    metrics = value.get("metrics") if isinstance(value, dict) else None
    if not isinstance(metrics, dict):
        return {}
    found: dict[str, float] = {}
    for name, number in list(metrics.items())[:METRICS]:
        if isinstance(number, bool) or not isinstance(number, int | float) or len(name) > 64:
            continue
        if abs(number) < 1e18:  # neither NaN nor infinite, and short in JSON
            found[name] = number
    return found
