from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from devices.host import inventory
from devices.host.guests import start_time
from devices.poller.guest import GuestRef


class RedisServer:
    """A redis-server of our own on a unix socket, to be stopped and started at will."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2)

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", ""],
            cwd=self.socket.parent, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self.socket.exists())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)


def until(done: Callable[[], object], deadline_s: float = 30.0) -> float:
    """Wait until `done()`; the seconds it took. Fails after the deadline."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < deadline_s, f"not within {deadline_s} s"
        time.sleep(0.002)
    return time.monotonic() - began


@pytest.fixture
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("r"))
    server.start()
    yield server
    server.stop()


class Sleepers:
    """Real processes that stand in for guests."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, serial: str, slot: int = 0) -> GuestRef:
        process = subprocess.Popen(["sleep", "120"])
        self.processes[serial] = process
        started = start_time(process.pid)
        assert started is not None
        return GuestRef(serial, slot, inventory.boot_id(), process.pid, started)

    def kill(self, serial: str, *, reap: bool = True) -> None:
        process = self.processes[serial]
        process.kill()
        if reap:
            process.wait()


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    started = Sleepers()
    yield started
    for process in started.processes.values():
        process.kill()
        process.wait()
