from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis

from fleetdash.deploy.redis_conf import redis_conf, socket_path_fits


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """A redis-server with our configuration, and a client of it; killed in the end."""
    (folder / "redis.conf").write_text(redis_conf(folder=folder))
    process = subprocess.Popen(
        ["redis-server", str(folder / "redis.conf")], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(unix_socket_path=str(folder / "redis.sock"))
    try:
        until = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < until
                time.sleep(0.02)
        yield process, client
    finally:
        client.close()
        process.kill()
        process.wait()


def test_it_evicts_nothing_and_opens_no_port(tmp_path: Path) -> None:
    with started(tmp_path) as (process, client):
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert (tmp_path / "redis.sock").stat().st_mode & 0o077 == 0
        listening = psutil.Process(process.pid).net_connections("inet")
        assert listening == []


def test_queues_survive_a_sigkill(tmp_path: Path) -> None:
    with started(tmp_path) as (_, client):
        client.lpush("control", "a task")
        client.config_set("appendfsync", "always")
        client.lpush("control", "another")
    with started(tmp_path) as (_, client):
        assert client.lrange("control", 0, -1) == [b"another", b"a task"]


def test_a_path_too_long_for_a_socket_is_known_beforehand() -> None:
    assert socket_path_fits(Path("/run/fleetdash/12345678/project/var/redis"))
    assert not socket_path_fits(Path("/" + "long/" * 30))
