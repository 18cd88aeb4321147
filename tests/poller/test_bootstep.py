from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devices.poller import bootstep
from devices.services import bus, usage
from fleetdash.deploy import records
from tests.poller.conftest import RedisServer, Sleepers, until

PROJECT = Path(__file__).resolve().parents[2]
HOST = "poll-test"
QUEUE = f"poller.{HOST}"


def worker_of(*queues: str) -> Any:
    consumed = dict.fromkeys(queues)
    return SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(
        queues=SimpleNamespace(consume_from=consumed)
    )))  # fmt: skip


@pytest.mark.parametrize(
    ("queues", "polls", "measures"),
    [
        ((QUEUE,), True, False),
        ((f"host.{HOST}",), False, True),
        (("control",), False, False),
        (("poller.elsewhere", "host.elsewhere"), False, False),
    ],
)
def test_each_part_runs_in_the_worker_it_belongs_to(
    queues: tuple[str, ...], polls: bool, measures: bool, settings: Any
) -> None:
    settings.HOST_NAME = HOST
    worker = worker_of(*queues)
    # a step's constructor asks for its blueprint's parts, which are not looked at here
    assert bootstep.PollerStep.include_if(None, worker) is polls  # type: ignore[arg-type]
    assert bootstep.PssStep.include_if(None, worker) is measures  # type: ignore[arg-type]


@pytest.fixture
def environment(tmp_path: Path, private_redis: RedisServer) -> dict[str, str]:
    (tmp_path / "db").mkdir()
    return {
        **os.environ,
        "FLEETDASH_VAR": str(tmp_path),
        "FLEETDASH_HOST": HOST,
        "REDIS_URL": private_redis.url,
        "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
        "PYTHONPATH": str(PROJECT),
    }


@pytest.fixture
def worker(
    environment: dict[str, str], tmp_path: Path, sleepers: Sleepers
) -> Iterator[subprocess.Popen[bytes]]:
    guest = sleepers.start("02fd00000001")
    subprocess.run(
        [sys.executable, "-m", "tests.poller.fleet_of_one", str(guest.pid)],
        env=environment, cwd=PROJECT, check=True,
    )  # fmt: skip
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "fleetdash", "worker", "-P", "threads",
             "-c", "1", "-Q", QUEUE, "--without-gossip", "--without-mingle",
             "--without-heartbeat"],
            env=environment, cwd=PROJECT, stdout=log, stderr=log,
        )  # fmt: skip
    yield process
    process.kill()
    process.wait()


def test_a_celery_worker_samples_its_host_and_notices_a_dead_guest(
    worker: subprocess.Popen[bytes],
    private_redis: RedisServer,
    sleepers: Sleepers,
    tmp_path: Path,
) -> None:
    redis = private_redis.client()
    (tmp_path / "run").mkdir()
    records.write(tmp_path / "run", "poller", worker.pid)

    def said(name: str) -> Any:
        message = redis.get(name)
        return json.loads(message) if isinstance(message, bytes) else None

    until(lambda: redis.exists(bus.cores_channel(HOST)))
    listener: Any = redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(bus.cores_channel(HOST))
    times: list[float] = []

    def heard() -> bool:
        message = listener.get_message(timeout=0.1)
        if message is not None:
            at, busy = bus.unpack_cores(message["data"])
            assert len(busy) >= (os.cpu_count() or 1)
            times.append(at)
        return len(times) == 5

    until(heard)
    listener.close()
    # four beats of a quarter second; a loaded machine may miss some
    assert times[-1] - times[0] > 0.9
    assert said(bus.host_channel(HOST))["memory"]["total_bytes"] > 0
    assert redis.exists(bus.heartbeat_key("poller", HOST))
    until(lambda: [use["name"] for use in said(usage.processes_key(HOST)) or []] == ["poller"])
    until(lambda: [row[0] for row in said(bus.guests_sample_channel(HOST))["guests"]] == [5])

    def state() -> tuple[str, str]:
        with sqlite3.connect(tmp_path / "db/fleetdash.sqlite3") as database:
            row: tuple[str, str] = database.execute(
                "SELECT state, reason FROM devices_device"
            ).fetchone()
        database.close()
        return row

    assert state()[0] == "online"
    sleepers.kill("02fd00000001", reap=False)
    until(lambda: state()[0] == "failed")
    assert "qemu process ended" in state()[1]

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0
    log = (tmp_path / "worker.log").read_text()
    assert "Traceback" not in log
