from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from devices.gateway import orders, protocol
from devices.gateway.phoenix import Message
from devices.gateway.protocol import Connection, Phase
from devices.services import bus
from devices.services.orders import CHANNEL, TAKEN
from devices.services.reporting import Report
from tests.api.served import ROWS, Served
from tests.gateway.test_socket import ask, device
from tests.gateway.test_status import BODY, report

JOIN: tuple[Any, ...] = ("1", "1", "device", "phx_join", {})


class Clock:
    """A clock that is set."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_only_a_device_that_has_joined_is_told() -> None:
    new = Connection("fd-1", heard_at_s=0.0)
    assert protocol.order(new, "reboot") is None
    joined, _ = protocol.received_text(new, json.dumps(JOIN), 0.0)
    assert protocol.order(joined, "reboot") == Message("1", None, "device", "reboot")
    leaving, _ = protocol.received_text(
        joined, json.dumps(["1", "2", "device", "shutting_down", {}]), 0.0
    )
    assert leaving.phase is Phase.LEAVING
    assert protocol.order(leaving, "reboot") is None


def test_the_newest_order_is_kept_for_a_while() -> None:
    clock = Clock()
    kept = orders.KeptOrders(clock)
    kept.add("fd-1", "reboot")
    clock.now_s = 10.0
    kept.add("fd-2", "reboot")
    kept.add("fd-1", "shutdown")
    clock.now_s = 10.0 + orders.KEPT_S - 0.1
    assert (kept.take("fd-1"), kept.take("fd-1")) == ("shutdown", None)
    clock.now_s = 10.0 + orders.KEPT_S
    assert (kept.take("fd-2"), len(kept)) == (None, 0)


@pytest.mark.parametrize(
    ("start", "uptime_s", "heard"),
    [("cold", 5.0, None), ("cold", 25.0, "shutdown"), ("warm", 5.0, "shutdown")],
)
def test_an_order_is_not_kept_for_a_boot_that_began_after_it(
    start: str, uptime_s: float, heard: str | None
) -> None:
    kept = orders.KeptOrders(wall=lambda: 1000.0)
    kept.add("fd-1", "shutdown")
    kept.add("fd-2", "shutdown")
    kept.booted(
        Report(
            serial="fd-1", version="0.1.0", slot="a", start=start, at=1020.0, uptime_s=uptime_s
        )
    )
    assert (kept.take("fd-1"), kept.take("fd-2")) == (heard, "shutdown")


def test_what_is_no_order_is_left_alone() -> None:
    told: list[str] = []

    def tell(serial: str, order: str) -> bool:
        told.append(serial)
        return True

    orders.hand_on(b"nonsense", tell)
    orders.hand_on(b'{"order": "reboot", "serials": ["a", "b"]}', tell)
    assert told == ["a", "b"]


@pytest.fixture(scope="module")
def away(gateway: Served) -> Served:
    """A gateway with devices of this file."""
    gateway.python(ROWS + "devices(['ord-' + str(n) for n in range(4)], 'online')")
    return gateway


@pytest.fixture
def client(away: Served) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(away.environment["REDIS_URL"]) as found:
        yield found


def test_a_gateway_beats_before_anybody_asks_it(gateway: Served) -> None:
    until = time.monotonic() + 30
    with redis.Redis.from_url(gateway.environment["REDIS_URL"]) as found:
        while not found.keys(bus.heartbeat_key(bus.GATEWAY, "*")):
            assert time.monotonic() < until, gateway.log()
            time.sleep(0.05)


def give(client: redis.Redis, order: str, *serials: str) -> None:
    """Publish an order once the gateway listens, which it does soon after its start."""
    until = time.monotonic() + 30
    message = json.dumps({"order": order, "serials": serials})
    while not client.publish(CHANNEL, message):
        assert time.monotonic() < until, "the gateway does not listen"
        time.sleep(0.05)


def was_taken(client: redis.Redis, serial: str) -> bool:
    until = time.monotonic() + 30
    while client.zscore(TAKEN, serial) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_an_order_reaches_its_device_and_no_other(away: Served, client: redis.Redis) -> None:
    with device(away, "ord-0") as socket, device(away, "ord-1") as other:
        for each in (socket, other):
            ask(each, *JOIN)
            each.recv(timeout=30)  # extensions:get
        give(client, "shutdown", "ord-0")
        assert json.loads(socket.recv(timeout=30)) == ["1", None, "device", "shutdown", {}]
        assert was_taken(client, "ord-0")
        assert ask(other, None, "2", "phoenix", "heartbeat", {})[3] == "phx_reply"
        assert client.zscore(TAKEN, "ord-1") is None


def test_a_device_that_is_just_connecting_is_told_when_it_has_joined(
    away: Served, client: redis.Redis
) -> None:
    with device(away, "ord-2") as socket:
        give(client, "reboot", "ord-2")
        # the order has been kept once a heartbeat that was sent after it is answered
        ask(socket, None, "2", "phoenix", "heartbeat", {})
        assert client.zscore(TAKEN, "ord-2") is None
        said: list[Any] = [ask(socket, *JOIN)]
        while said[-1][3] != "reboot":
            said.append(json.loads(socket.recv(timeout=30)))
        assert [message[3] for message in said] == ["phx_reply", "extensions:get", "reboot"]
        assert was_taken(client, "ord-2")


def test_a_kept_order_does_not_meet_the_next_boot(away: Served, client: redis.Redis) -> None:
    """Told to shut down, it hung; it was powered off and on, reports, and joins in time."""
    serial = "ord-3"
    with device(away, serial) as socket:
        give(client, "shutdown", serial)
        # the order has been kept once a heartbeat that was sent after it is answered
        ask(socket, None, "2", "phoenix", "heartbeat", {})
        assert report(away, serial, json={**BODY, "uptime_s": 0.0}).status_code == 200
        ask(socket, *JOIN)
        assert json.loads(socket.recv(timeout=30))[3] == "extensions:get"
        assert ask(socket, None, "3", "phoenix", "heartbeat", {})[3] == "phx_reply"
    assert client.zscore(TAKEN, serial) is None
