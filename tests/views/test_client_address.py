from __future__ import annotations

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from devices.views.client_address import client_address

OUTSIDE = "203.0.113.7"


@pytest.fixture
def proxied(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_address(RequestFactory(REMOTE_ADDR=peer).get("/login/", headers=headers))


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", OUTSIDE, OUTSIDE),
        ("::1", OUTSIDE, OUTSIDE),
        ("::ffff:127.0.0.1", OUTSIDE, OUTSIDE),
        ("127.0.0.1", f"198.51.100.9, {OUTSIDE}", OUTSIDE),  # the rest anybody may have sent
        ("127.0.0.1", f"198.51.100.9,{OUTSIDE} ", OUTSIDE),
        ("127.0.0.1", "2001:DB8::7", "2001:db8::7"),
        ("127.0.0.1", f"::ffff:{OUTSIDE}", OUTSIDE),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown\x1b[31m", "127.0.0.1"),
        ("127.0.0.1", f"{OUTSIDE}, unknown", "127.0.0.1"),
        ("198.51.100.9", OUTSIDE, "198.51.100.9"),  # nobody but the machine's own proxy
    ],
)
def test_the_machines_own_proxy_says_who_asks(
    peer: str, forwarded: str | None, client: str
) -> None:
    assert address(peer, forwarded) == client


def test_without_a_proxy_nobody_says_who_asks() -> None:
    assert address("127.0.0.1", OUTSIDE) == "127.0.0.1"
    assert address("") == ""
