from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from pytest_django import Settings

from devices.live import hub
from devices.live.hub import Hub
from devices.services import bus
from tests.live.socket_browser import Page


class PrivateRedis:
    """A Redis of our own on a unix socket, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: apt-get install redis-server"
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--save", ""],
            cwd=self._folder, stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "redis-server does not start"
                    time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


@pytest.fixture(scope="module")
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def page() -> Page:
    return Page()


@pytest_asyncio.fixture
async def live(
    page: Page, private_redis: PrivateRedis, settings: Settings
) -> AsyncIterator[Hub]:
    settings.REDIS_URL = private_redis.url
    bus.client.cache_clear()
    await asyncio.to_thread(bus.client().flushall)
    made = Hub(
        private_redis.url, render=lambda *told: page.render(*told), load_states=page.load_states
    )
    hub._hubs[asyncio.get_running_loop()] = made
    made.start()
    yield made
    await made.stop()
    bus.client().close()
    bus.client.cache_clear()


