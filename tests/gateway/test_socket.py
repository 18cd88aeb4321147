from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
import redis
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from devices.gateway import nh1
from tests.api.served import ROWS, Served, secret_of

ADDRESS = "/device-socket/websocket?vsn=2.0.0"


def headers(serial: str, *, off_s: int = 0, secret: str | None = None) -> dict[str, str]:
    time_s = int(time.time()) + off_s
    return {
        "x-nh-alg": nh1.ALGORITHM,
        "x-nh-key": serial,
        "x-nh-time": str(time_s),
        "x-nh-signature": nh1.sign(secret or secret_of(serial), serial, time_s),
    }


@contextlib.contextmanager
def device(gateway: Served, serial: str, **other: Any) -> Iterator[ClientConnection]:
    given = {"additional_headers": headers(serial), "compression": None, **other}
    with connect(f"ws://127.0.0.1:{gateway.port}{ADDRESS}", **given) as socket:
        yield socket


def ask(socket: ClientConnection, *message: Any) -> Any:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=30))


def refused(gateway: Served, **other: Any) -> Any:
    with pytest.raises(InvalidStatus) as refusal, device(gateway, "ws-1", **other):
        pass
    return refusal.value.response


@pytest.fixture(scope="module")
def offline(gateway: Served) -> Served:
    """A gateway with devices that are thought offline."""
    gateway.python(ROWS + "devices(['ws-' + str(n) for n in range(20)], 'offline')")
    return gateway


def eventually(gateway: Served, serial: str, state: str) -> None:
    deadline = time.monotonic() + 20
    found = None
    while time.monotonic() < deadline:
        found = gateway.rows("select state from devices_device where serial = ?", serial)[0][0]
        if found == state:
            return
        time.sleep(0.05)
    raise AssertionError(f"{serial} is {found}")


def test_a_device_joins_beats_and_reports_its_health(offline: Served) -> None:
    client = redis.Redis.from_url(offline.environment["REDIS_URL"])
    # it has reported before, as every device that is offline
    client.zadd("fleet:presence", {"ws-0": 1.0})
    with device(offline, "ws-0") as socket:
        reply = ask(socket, "1", "1", "device", "phx_join", {"nerves_fw_version": "0.1.0"})
        assert reply == ["1", "1", "device", "phx_reply", {"status": "ok", "response": {}}]
        assert json.loads(socket.recv(timeout=30)) == ["1", None, "device", "extensions:get", {}]
        reply = ask(socket, "2", "2", "extensions", "phx_join", {"health": "0.0.1"})
        assert reply[4] == {"status": "ok", "response": ["health"]}
        health = {"value": {"metrics": {"load_1min": 0.25, "mem_used_mb": 41}}}
        socket.send(json.dumps(["2", "3", "extensions", "health:report", health]))
        reply = ask(socket, None, "4", "phoenix", "heartbeat", {})
        assert reply == [None, "4", "phoenix", "phx_reply", {"status": "ok", "response": {}}]
        eventually(offline, "ws-0", "online")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not client.hexists("fleet:health", "ws-0"):
        time.sleep(0.05)
    kept = json.loads(client.hget("fleet:health", "ws-0") or b"null")
    assert kept["metrics"] == {"load_1min": 0.25, "mem_used_mb": 41}
    assert client.zscore("fleet:presence", "ws-0") == pytest.approx(time.time(), abs=30)
    client.close()


@pytest.mark.parametrize(
    "given",  # signed when the test runs: a signature is good for some seconds
    [
        lambda: {},
        lambda: headers("ws-1", secret="x" * 43),
        lambda: headers("ws-unknown"),
        lambda: headers("ws-1", off_s=-3600),
        lambda: headers("ws-1", off_s=3600),
    ],
)
def test_a_device_that_proves_nothing_is_refused_401_with_a_date(
    offline: Served, given: Callable[[], dict[str, str]]
) -> None:
    response = refused(offline, additional_headers=given())
    assert response.status_code == 401
    told = parsedate_to_datetime(response.headers["date"]).timestamp()
    assert told == pytest.approx(time.time(), abs=30)
    assert json.loads(response.body)["detail"].endswith(".")


def test_a_browser_is_refused(offline: Served) -> None:
    assert refused(offline, origin="http://127.0.0.1").status_code == 403


def test_another_version_and_another_address_are_refused(offline: Served) -> None:
    for address, status in (("/device-socket/websocket?vsn=1.0.0", 400), ("/live/", 404)):
        with (
            pytest.raises(InvalidStatus) as refusal,
            connect(f"ws://127.0.0.1:{offline.port}{address}", additional_headers=headers("ws-1")),
        ):
            pass
        assert refusal.value.response.status_code == status
        assert "date" in refusal.value.response.headers


def test_a_plain_request_for_the_socket_is_told_so(offline: Served) -> None:
    answer = httpx.get(f"{offline.url}/device-socket/websocket")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("frame", "code"), [("nonsense", 1007), (b"\0", 1003), ("x" * (64 * 1024 + 1), 1009)]
)
def test_a_frame_out_of_form_closes_the_socket(
    offline: Served, frame: str | bytes, code: int
) -> None:
    with device(offline, "ws-2") as socket:
        socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_newer_connection_ends_the_older(offline: Served) -> None:
    with device(offline, "ws-3") as older, device(offline, "ws-3") as newer:
        with pytest.raises(ConnectionClosed):
            older.recv(timeout=30)
        assert ask(newer, None, "1", "phoenix", "heartbeat", {})[2] == "phoenix"


def test_nothing_is_left_of_sockets_that_were_refused_or_closed(offline: Served) -> None:
    time.sleep(2.5)  # Daphne reaps every second
    assert "took too long" not in offline.log()
    assert "Traceback" not in offline.log()
