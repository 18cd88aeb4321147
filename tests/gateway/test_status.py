from __future__ import annotations

import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from devices.gateway.errors import Refused
from devices.gateway.status import bearer, read_report
from tests.api.served import ROWS, Served, secret_of

BODY = {"version": "0.1.0", "uuid": "u", "slot": "a", "start": "cold", "uptime_s": 3.1}


def report(gateway: Served, serial: str, **other: Any) -> httpx.Response:
    given = {"headers": {"authorization": f"Bearer {secret_of(serial)}"}, "json": BODY, **other}
    method = given.pop("method", "POST")
    return httpx.request(method, f"{gateway.url}/api/status/{serial}", **given)


def state(gateway: Served, serial: str) -> str:
    return str(gateway.rows("select state from devices_device where serial = ?", serial)[0][0])


@pytest.fixture(scope="module")
def booting(gateway: Served) -> Served:
    """A gateway with booting devices."""
    gateway.python(ROWS + "devices(['st-' + str(n) for n in range(60)], 'booting')")
    gateway.python(ROWS + "devices(['st-gone'], 'gone')")
    return gateway


def test_a_report_makes_the_device_online_before_it_is_answered(booting: Served) -> None:
    answer = report(booting, "st-0")
    assert state(booting, "st-0") == "online"
    assert answer.status_code == 200
    assert answer.json() == {"status": "online"}
    assert 0 <= int(answer.headers["Socket-Within-Ms"]) <= 40_000
    kept = booting.rows(
        "select reported_version, reported_slot, reported_start from devices_device "
        "where serial = 'st-0'"
    )
    assert kept == [("0.1.0", "a", "cold")]
    assert report(booting, "st-0").status_code == 200


def test_many_reports_at_once_are_all_written(booting: Served) -> None:
    serials = [f"st-{n}" for n in range(10, 60)]
    with ThreadPoolExecutor(25) as pool:
        codes = list(pool.map(lambda serial: report(booting, serial).status_code, serials))
    assert codes == [200] * 50
    assert {state(booting, serial) for serial in serials} == {"online"}


@pytest.mark.parametrize(
    ("other", "status", "sentence"),
    [
        ({"headers": {}}, 401, "secret"),
        ({"headers": {"authorization": "Bearer " + "x" * 43}}, 401, "secret"),
        ({"headers": {"authorization": "Bearer é".encode()}}, 401, "secret"),
        ({"method": "GET", "json": None}, 405, "POST"),
        ({"json": [1]}, 422, "object"),
        ({"json": None, "content": b"nonsense"}, 422, "not JSON"),
        ({"json": None, "content": b"\xff\xfe"}, 422, "not JSON"),
        ({"json": {**BODY, "slot": "c"}}, 422, "slot"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    booting: Served, other: dict[str, Any], status: int, sentence: str
) -> None:
    answer = report(booting, "st-1", **other)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert "date" in answer.headers
    assert state(booting, "st-1") == "booting"


def test_an_unknown_and_a_gone_serial_are_not_found(booting: Served) -> None:
    for serial in ("st-unknown", "st-gone"):
        answer = report(booting, serial)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json"
    assert state(booting, "st-gone") == "gone"


def test_a_browser_page_is_refused(booting: Served) -> None:
    headers = {"authorization": f"Bearer {secret_of('st-1')}", "origin": "https://example.org"}
    assert report(booting, "st-1", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/status/", "/api/status/a/b", "/device-socket"])
def test_other_addresses_are_not_found(gateway: Served, path: str) -> None:
    answer = httpx.post(gateway.url + path, json=BODY)
    assert answer.status_code == 404
    assert "nothing at this address" in answer.json()["detail"]


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(booting: Served) -> None:
    head = "POST /api/status/st-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", booting.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["detail"].startswith("A request here")


def test_a_chunked_body_that_grows_too_long_is_refused(booting: Served) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", booting.port), timeout=30) as connection:
        connection.sendall(
            b"POST /api/status/st-1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        connection.sendall(chunk * 5)
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_report_that_cannot_be_written_is_answered_503_and_can_be_repeated(
    booting: Served,
) -> None:
    booting.rows(
        "create trigger full before update on devices_device when new.serial = 'st-2' "
        "begin select raise(abort, 'database or disk is full'); end"
    )
    try:
        answer = report(booting, "st-2")
    finally:
        booting.rows("drop trigger full")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert state(booting, "st-2") == "booting"
    assert report(booting, "st-2").status_code == 200
    assert state(booting, "st-2") == "online"


def test_a_locked_database_delays_the_answer_and_loses_nothing(booting: Served) -> None:
    writer = sqlite3.connect(booting.folder / "db.sqlite3", isolation_level=None)
    writer.execute("begin immediate")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(report, booting, "st-3", timeout=30.0)
        with pytest.raises(TimeoutError):
            answer.result(timeout=0.8)
        writer.execute("rollback")
        assert answer.result().status_code == 200
    writer.close()
    assert state(booting, "st-3") == "online"


def test_the_secret_is_read_from_its_header_only() -> None:
    assert bearer({"authorization": "bearer  abc "}) == "abc"
    assert bearer({"authorization": "Basic abc"}) == ""
    assert bearer({}) == ""


@pytest.mark.parametrize(
    "said",
    [
        {"version": 1},
        {"version": "x" * 65},
        {"uuid": None},
        {"start": "hot"},
        {"slot": "\n"},
        {"uptime_s": "1"},
        {"uptime_s": True},
    ],
)
def test_fields_of_another_kind_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        read_report("x", json.dumps(said).encode(), 1.0)
    assert refusal.value.status == 422
