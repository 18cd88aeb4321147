from __future__ import annotations

import json
import math
from typing import Any

import pytest

from devices.gateway import protocol
from devices.gateway.phoenix import MESSAGE_BYTES, Message
from devices.gateway.protocol import (
    Close,
    Connected,
    Connection,
    Effect,
    Heard,
    Leaving,
    Phase,
    ReportHealth,
    Send,
)

NEW = Connection("fd-000001", heard_at_s=0.0)


def receive(
    connection: Connection, *message: Any, now_s: float = 0.0
) -> tuple[Connection, list[Effect]]:
    return protocol.received_text(connection, json.dumps(message), now_s)


def joined(now_s: float = 0.0) -> Connection:
    return receive(NEW, "1", "1", "device", "phx_join", {}, now_s=now_s)[0]


def test_a_join_is_answered_and_makes_the_device_connected() -> None:
    connection, effects = receive(NEW, "1", "1", "device", "phx_join", {"nerves_fw_uuid": "x"})
    assert connection.phase is Phase.JOINED
    ok = Message("1", "1", "device", "phx_reply", {"status": "ok", "response": {}})
    ask = Message("1", None, "device", "extensions:get")
    assert effects == [Send(ok), Heard(), Connected(), Send(ask)]


def test_a_heartbeat_is_answered_on_its_topic() -> None:
    _, effects = receive(joined(), None, "9", "phoenix", "heartbeat", {})
    ok = Message(None, "9", "phoenix", "phx_reply", {"status": "ok", "response": {}})
    assert effects == [Send(ok), Heard()]


def test_a_heartbeat_says_connected_again_once_a_minute() -> None:
    connection = joined()
    said = []
    for now_s in range(30, 200, 30):
        connection, effects = receive(
            connection, None, "9", "phoenix", "heartbeat", {}, now_s=float(now_s)
        )
        said.append(Connected() in effects)
    assert said == [False, True, False, True, False, True]


def test_a_device_that_leaves_is_not_said_to_be_connected() -> None:
    connection, effects = receive(joined(), "1", "3", "device", "rebooting", {})
    assert connection.phase is Phase.LEAVING
    assert effects == [Heard(), Leaving()]
    _, effects = receive(connection, None, "4", "phoenix", "heartbeat", {}, now_s=100.0)
    assert Connected() not in effects


def test_extensions_are_joined_after_the_device_and_only_those_wanted() -> None:
    early = receive(NEW, "2", "2", "extensions", "phx_join", {"health": "0.0.1"})[1][0]
    assert isinstance(early, Send)
    assert early.message.payload["status"] == "error"
    join = ("2", "2", "extensions", "phx_join", {"health": "0.0.1", "geo": "0.0.1"})
    connection, effects = receive(joined(), *join)
    assert isinstance(effects[0], Send)
    assert effects[0].message.payload == {"status": "ok", "response": ["health"]}
    assert set(connection.joined) == {"device", "extensions"}


def test_health_is_reported_as_finite_numbers() -> None:
    connection = receive(joined(), "2", "2", "extensions", "phx_join", {"health": "1"})[0]
    metrics = {"load_1min": 0.5, "n": 3, "text": "x", "flag": True, "x" * 65: 1, "big": 10**400}
    payload = {"value": {"metrics": metrics}}
    _, effects = receive(connection, "2", "5", "extensions", "health:report", payload)
    assert effects == [Heard(), ReportHealth({"load_1min": 0.5, "n": 3})]


@pytest.mark.parametrize(
    "payload", [{}, {"value": 1}, {"value": {"metrics": []}}, {"value": {"metrics": {"a": "b"}}}]
)
def test_health_of_another_shape_is_only_heard(payload: dict[str, Any]) -> None:
    connection = receive(joined(), "2", "2", "extensions", "phx_join", {"health": "1"})[0]
    assert receive(connection, "2", "5", "extensions", "health:report", payload)[1] == [Heard()]


def test_no_more_than_64_metrics_and_no_nan() -> None:
    many = {f"m{n}": n for n in range(100)}
    assert len(protocol.health_metrics({"value": {"metrics": many}})) == 64
    assert protocol.health_metrics({"value": {"metrics": {"a": math.nan, "b": math.inf}}}) == {}


def test_an_unknown_topic_is_answered_with_an_error() -> None:
    for event in ("phx_join", "anything"):
        effects = receive(joined(), "7", "7", "elsewhere", event, {})[1]
        assert isinstance(effects[0], Send)
        assert effects[0].message.payload == {
            "status": "error",
            "response": {"reason": "unmatched topic"},
        }


def test_leaving_the_device_topic_ends_what_it_may_say() -> None:
    connection, effects = receive(joined(), "1", "4", "device", "phx_leave", {})
    assert connection.phase is Phase.OPEN
    assert not connection.joined
    assert Heard() in effects


def test_an_unknown_event_is_only_heard() -> None:
    assert receive(joined(), "1", "4", "device", "status_update", {})[1] == [Heard()]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", 1007),
        ("[1]", 1007),
        ("é" * (MESSAGE_BYTES // 2 + 1), 1009),
        ("x" * (MESSAGE_BYTES + 1), 1009),
    ],
)
def test_a_message_out_of_form_closes_the_socket(text: str, code: int) -> None:
    connection, effects = protocol.received_text(joined(), text, 1.0)
    assert connection.phase is Phase.CLOSED
    assert isinstance(effects[0], Close)
    assert effects[0].code == code
    assert protocol.received_text(connection, text, 1.0)[1] == []


def test_a_binary_frame_closes_the_socket() -> None:
    connection, effects = protocol.received_bytes(joined())
    assert effects == [Close(1003, "only text frames are understood")]
    assert protocol.received_bytes(connection)[1] == []


def test_a_flood_closes_the_socket_and_a_calm_device_never_is() -> None:
    connection = joined()
    for _ in range(protocol.MESSAGES_A_WINDOW - 1):
        connection, effects = receive(connection, None, "1", "phoenix", "heartbeat", {})
        assert isinstance(effects[0], Send)
    later = receive(connection, None, "1", "phoenix", "heartbeat", {}, now_s=10.0)[0]
    assert receive(later, None, "1", "phoenix", "heartbeat", {}, now_s=10.1)[0].in_window == 2
    flooded, effects = receive(connection, None, "1", "phoenix", "heartbeat", {}, now_s=9.9)
    assert isinstance(effects[0], Close)
    assert effects[0].code == 1008
    assert flooded.phase is Phase.CLOSED


def test_silence_closes_the_socket_after_180_s() -> None:
    connection = receive(joined(), None, "1", "phoenix", "heartbeat", {}, now_s=30.0)[0]
    assert protocol.silence_deadline_s(connection) == 210.0
    assert protocol.ticked(connection, 209.9) == (connection, [])
    closed, effects = protocol.ticked(connection, 210.0)
    assert effects == [Close(1000, "nothing was heard for 180 s")]
    assert protocol.ticked(closed, 999.0)[1] == []
