from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.test import Client
from pytest_django import Settings

from devices.services import bus, tries

pytestmark = pytest.mark.usefixtures("anna")

RIGHT = "a long password"


def enter(name: str, password: str, address: str = "192.0.2.1") -> Any:
    given = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/login/", given)


def guess(times: int, name: str = "anna", address: str = "192.0.2.1") -> list[int]:
    return [enter(name, f"guess {n}", address).status_code for n in range(times)]


@pytest.mark.usefixtures("redis_server")
def test_after_ten_wrong_passwords_nothing_is_hashed_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert guess(tries.OF_ONE_NAME) == [200] * tries.OF_ONE_NAME

    def no_hash(*given: Any, **named: Any) -> None:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", no_hash)
    monkeypatch.setattr(hashers.MD5PasswordHasher, "verify", no_hash)
    answer = enter("anna", RIGHT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Too many tries; wait a minute." in answer.content.decode()
    monkeypatch.undo()
    ttls = [bus.client().ttl(key) for key in bus.client().scan_iter("fleet:tries:*")]
    assert ttls
    assert all(0 < each <= tries.WINDOW_S for each in ttls)


@pytest.mark.usefixtures("redis_server")
def test_a_right_password_begins_the_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "OF_ONE_NAME", 3)
    for _ in range(2):
        assert guess(2) == [200, 200]
        assert enter("anna", RIGHT).status_code == 302
    monkeypatch.setattr(tries, "OF_ONE_ADDRESS", 5)
    for _ in range(6):
        assert enter("anna", RIGHT).status_code == 302, "who may enter is not counted"


@pytest.mark.usefixtures("redis_server")
def test_who_is_refused_keeps_nobody_else_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "OF_ONE_NAME", 2)
    monkeypatch.setattr(tries, "OF_ALL", 4)
    assert guess(6) == [200, 200, 429, 429, 429, 429]
    assert enter("anna", RIGHT, "192.0.2.2").status_code == 302


@pytest.mark.usefixtures("redis_server")
def test_many_names_and_many_addresses_do_not_get_round_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tries, "OF_ONE_ADDRESS", 4)
    monkeypatch.setattr(tries, "OF_ALL", 6)
    assert [guess(1, f"name{n}")[0] for n in range(5)] == [200] * 4 + [429]
    assert enter("anna", RIGHT, "192.0.2.2").status_code == 302, "another is not kept out"
    assert [guess(1, f"name{n}", f"192.0.2.{10 + n}")[0] for n in range(3)] == [200, 200, 429]


@pytest.mark.usefixtures("redis_server")
def test_each_refusal_is_logged_with_its_address_and_no_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tries, "OF_ONE_NAME", 1)
    name = "an\x1b[31m" + "n" * 100
    with caplog.at_level(logging.WARNING):
        enter(name, "secret")
        enter(name, "secret")
        enter("anna", RIGHT)
    said = [record.getMessage() for record in caplog.records if "192.0.2.1" in record.getMessage()]
    assert len(said) == 2
    assert "wrong name or password" in said[0]
    assert "too many tries" in said[1]
    assert "secret" not in caplog.text
    assert all(text.isprintable() and len(text) < 160 for text in said)


def test_without_redis_the_log_in_works(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    bus.client.cache_clear()
    assert set(guess(tries.OF_ONE_NAME + 2)) == {200}
    assert enter("anna", RIGHT).status_code == 302
    bus.client.cache_clear()
