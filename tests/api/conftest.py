from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from devices.services import bus, tokens
from tests.rows import a_firmware, a_host, a_sample


@pytest.fixture
def a_fleet(db: None, redis_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """One host with room, one firmware; nothing is sent to Celery. Gives the host's name."""
    monkeypatch.setattr("devices.services.dispatch.to_host", lambda *given: None)
    a_host("here")
    a_firmware()
    bus.publish_host_sample("here", a_sample())
    return "here"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def key(user: User) -> str:
    """A token's key."""
    return tokens.create(user, "test")[1]


@pytest.fixture
def client(key: str) -> Client:
    """A client that sends the token."""
    return Client(headers={"authorization": f"Bearer {key}"})


@pytest.fixture
def browser(user: User) -> Client:
    """A client that is logged in and checked for CSRF as a browser is."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    return browser
