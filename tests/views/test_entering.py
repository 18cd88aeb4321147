from __future__ import annotations

import logging
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from devices.services import bus, known_browsers, tries

pytestmark = pytest.mark.usefixtures("anna")

RIGHT = "a long password"


def enter(
    name: str, password: str, address: str = "192.0.2.1", *, browser: Client | None = None
) -> Any:
    given = {"username": name, "password": password}
    return (browser or Client()).post("/login/", given, REMOTE_ADDR=address)


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
def test_of_an_ipv6_network_all_addresses_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "OF_ONE_NAME", 2)
    inside = [guess(1, address=f"2001:db8:0:1:{n}::{n}")[0] for n in range(1, 4)]
    assert inside == [200, 200, 429]
    assert enter("anna", RIGHT, "2001:db8:0:2::1").status_code == 302
    assert enter("anna", RIGHT, "::ffff:192.0.2.1").status_code == 302
    monkeypatch.setattr(tries, "OF_ONE_ADDRESS", 1)
    assert [guess(1, address=f"::ffff:192.0.2.{n}")[0] for n in (8, 9, 9)] == [200, 200, 429]


@pytest.fixture
def her_browser() -> Client:
    """A browser in which Anna has logged in, and out again."""
    browser = Client()
    assert enter("anna", RIGHT, browser=browser).status_code == 302
    browser.post("/logout/")
    assert django_settings.KNOWN_COOKIE_NAME in browser.cookies
    return browser


@pytest.fixture
def flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have used up what is looked at from Anna's address, under her name, and in all."""
    monkeypatch.setattr(tries, "OF_ONE_NAME", 3)
    monkeypatch.setattr(tries, "OF_ONE_ADDRESS", 4)
    monkeypatch.setattr(tries, "OF_ALL", 5)


def fill() -> None:
    assert guess(4) == [200, 200, 200, 429]
    assert guess(2, "bert") == [200, 429]
    assert guess(2, "bert", "192.0.2.2") == [200, 429]


@pytest.mark.usefixtures("redis_server", "flood")
def test_others_keep_nobody_out_of_a_browser_in_which_they_logged_in(her_browser: Client) -> None:
    fill()
    assert enter("anna", RIGHT, "192.0.2.9").status_code == 429, "a browser never seen waits"
    assert enter("anna", "a slip", browser=her_browser).status_code == 200
    assert enter("anna", RIGHT, browser=her_browser).status_code == 302


@pytest.mark.usefixtures("redis_server", "flood")
def test_a_known_browser_guesses_no_further_than_another(her_browser: Client) -> None:
    def tried(name: str) -> list[int]:
        return [enter(name, "guess", browser=her_browser).status_code for _ in range(4)]

    assert tried("anna") == [200, 200, 200, 429]
    assert enter("anna", RIGHT, "192.0.2.2").status_code == 302, "and keeps out no other"
    fill()
    assert tried("bert") == [429] * 4, "it is known for one name alone"


@pytest.mark.usefixtures("redis_server", "flood")
def test_a_browser_is_known_no_longer_than_the_password_holds(her_browser: Client) -> None:
    anna = User.objects.get(username="anna")
    anna.set_password("another password")
    anna.save()
    fill()
    assert enter("anna", "another password", browser=her_browser).status_code == 429


@pytest.mark.usefixtures("redis_server", "flood")
def test_a_browser_is_known_for_a_while(
    her_browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    monkeypatch.setattr(known_browsers, "KEPT_S", -1)
    assert enter("anna", RIGHT, browser=her_browser).status_code == 429


@pytest.mark.usefixtures("redis_server", "flood")
def test_a_made_up_cookie_makes_no_browser_known(her_browser: Client) -> None:
    fill()
    cookie = her_browser.cookies[django_settings.KNOWN_COOKIE_NAME]
    for made_up in ("anna", cookie.value[:-1], "A" + cookie.value, "", ":::"):
        browser = Client()
        browser.cookies[django_settings.KNOWN_COOKIE_NAME] = made_up
        assert enter("anna", RIGHT, browser=browser).status_code == 429


@pytest.mark.usefixtures("redis_server")
def test_the_cookie_is_for_the_log_in_alone(her_browser: Client) -> None:
    cookie = her_browser.cookies[django_settings.KNOWN_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/login/")


@pytest.mark.usefixtures("redis_server")
def test_behind_the_proxy_each_client_is_counted_by_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    monkeypatch.setattr(tries, "OF_ONE_ADDRESS", 2)
    outsider = Client(headers={"x-forwarded-for": "198.51.100.1, 203.0.113.7"})
    other = Client(headers={"x-forwarded-for": "203.0.113.8"})
    with caplog.at_level(logging.WARNING):
        found = [
            enter(f"name{n}", "guess", "127.0.0.1", browser=outsider).status_code for n in range(3)
        ]
    assert found == [200, 200, 429]
    assert "from 203.0.113.7 was refused" in caplog.text
    for browser in (other, Client()):
        assert enter("anna", RIGHT, "127.0.0.1", browser=browser).status_code == 302


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
