from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.api.served import CHECKOUT, ROWS, Served, served
from tests.rows import a_sample

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**more: str) -> dict[str, str]:
    """The environment without any fleet in it."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("FLEETDASH_")}
    return {**kept, "COLUMNS": "100", **more}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running web process with one host that has room, and `var/secrets/cli.json`."""
    with served("fleetdash.asgi:application", arguments=["-v", "0"]) as server:
        key = server.python(
            ROWS + "from django.contrib.auth.models import User\n"
            "from devices.services import tokens\n"
            "print(tokens.create(User.objects.create_user('ada'), 'cli')[1])"
        )
        with redis.Redis.from_url(server.environment["REDIS_URL"]) as client:
            client.set("fleet:host:here", json.dumps(a_sample()))
        secrets = server.folder / "secrets"
        secrets.mkdir()
        (secrets / "cli.json").write_text(json.dumps({"url": server.url, "token": key}))
        yield server


@pytest.fixture
def empty(web: Served) -> Served:
    """The web process with no device and no operation."""
    for table in ("event", "target", "operation", "device"):
        web.rows(f"delete from devices_{table}")
    return web


def run_fleet(
    *arguments: str, folder: Path, timeout_s: float = 30, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run bin/fleet with a var folder."""
    return subprocess.run(
        [str(CHECKOUT / "bin" / "fleet"), *arguments],
        env=environment(FLEETDASH_VAR=str(folder), **more),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@pytest.fixture
def run(web: Served) -> Run:
    """Run bin/fleet against the web process."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_fleet(*arguments, folder=web.folder, timeout_s=30, **more)

    return run
