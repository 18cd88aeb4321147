from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from devices.services import bus, tokens
from tests.rows import a_firmware, a_host, a_sample


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis."""
    folder: Path = tmp_path_factory.mktemp("redis")
    program = shutil.which("redis-server")
    assert program, "redis-server is needed: apt-get install redis-server"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(folder / "s"), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{folder}/s"
    with redis.Redis.from_url(url) as client:
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(autouse=True)
def static_folder(settings: Settings, tmp_path: Path) -> None:
    """Where collected files would be; without it the middleware warns."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def bus_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The bus speaks to the private Redis, which is empty; nothing is sent to Celery."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        monkeypatch.setattr(bus, "client", lambda: client)
        monkeypatch.setattr("devices.services.dispatch.to_host", lambda *given: None)
        yield client


@pytest.fixture
def fleet(db: None, bus_redis: redis.Redis) -> str:
    """One host with room, one firmware."""
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
