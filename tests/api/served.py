"""A real daphne, a private Redis and a database file of their own, for tests that speak HTTP."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.api.beside import Beside

CHECKOUT = Path(__file__).resolve().parents[2]
START_S = 30.0


_given_out: set[int] = set()


def free_port() -> int:
    """A port of the loopback that nothing uses, below those the kernel gives out by itself.

    None is given out twice, and a server that is restarted in a test finds it free again.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given_out:
                _given_out.add(port)
                return port


@dataclass
class Served:
    """A running server; `rows` and `python` look at its database and change it."""

    folder: Path
    port: int
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.beside = Beside(self.environment)

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process in the server's environment; its output goes to `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def python(self, code: str) -> str:
        """Run Python with Django set up, in a process beside; gives what it printed."""
        return self.beside.run(code)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database answers; writes are committed."""
        with contextlib.closing(sqlite3.connect(self.folder / "db.sqlite3", timeout=20)) as db:
            found = db.execute(query, values).fetchall()
            db.commit()
            return found

    @property
    def token(self) -> str:
        """The key that `bin/fleet` finds in its folder, if one was put there."""
        return str(json.loads((self.folder / "secrets" / "cli.json").read_text())["token"])

    def log(self) -> str:
        """What the processes printed so far."""
        return (self.folder / "log").read_text()

    def wait_until_listening(self) -> None:
        """Return when the port answers; fails with the log."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return
            assert all(process.poll() is None for process in self.processes), self.log()
            time.sleep(0.05)
        raise AssertionError(self.log())

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End one process."""
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.processes:
            self.processes.remove(process)


@functools.cache
def empty_database() -> bytes:
    """The file of a SQLite database with all tables and nothing in them."""
    with tempfile.TemporaryDirectory() as name:
        beside = Beside({
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
            "DATABASE_URL": f"sqlite:///{name}/db.sqlite3",
            "FLEETDASH_VAR": name,
        })  # fmt: skip
        beside.run(
            "from django.core.management import call_command as c; c('migrate', verbosity=0)\n"
            "from django.db import connection\n"
            "connection.close()"
        )
        beside.end()
        return (Path(name) / "db.sqlite3").read_bytes()


@contextlib.contextmanager
def served(
    application: str, *, arguments: Sequence[str] = (), pages: bool = False, **environment: str
) -> Iterator[Served]:
    """Serve an ASGI application by daphne, on a migrated database and an empty Redis.

    One that is asked for `pages` finds the files they name; it looks for them once.
    """
    with tempfile.TemporaryDirectory(prefix="fleetdash-served-") as name:
        folder = Path(name)
        redis_socket = folder / "redis.sock"
        server = Served(
            folder,
            free_port(),
            {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
                "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
                "REDIS_URL": f"unix://{redis_socket}",
                "FLEETDASH_VAR": str(folder),
                "FLEETDASH_SECRET_KEY": "only for a test",
                "PYTHONWARNINGS": "default",
                **environment,
            },
        )
        try:
            server.start(
                "redis-server",
                "--port",
                "0",
                "--unixsocket",
                str(redis_socket),
                "--save",
                "",
                "--dir",
                name,
            )
            (folder / "db.sqlite3").write_bytes(empty_database())
            if pages:
                server.python(
                    "from django.core.management import call_command as c; "
                    "c('collectstatic', interactive=False, verbosity=0)"
                )
            server.start(
                sys.executable,
                "-m",
                "daphne",
                "-b",
                "127.0.0.1",
                "-p",
                str(server.port),
                *arguments,
                application,
            )
            server.wait_until_listening()
            yield server
        finally:
            server.beside.end()
            for process in reversed(server.processes[:]):
                server.stop(process)


ROWS = """
from django.utils import timezone
from devices.models import Device, Firmware, Host
now = timezone.now()
host, _ = Host.objects.get_or_create(name="here", defaults=dict(
    architecture="x64", cores=2, memory_bytes=24 << 30,
    accelerators=dict(arm64=dict(accelerator="tcg"))))
firmware, _ = Firmware.objects.get_or_create(sha256="f" * 64, defaults=dict(
    architecture="arm64", version="0.1.0", uuid="u", size_bytes=1, imported_at=now))
def devices(serials, state, **values):
    last = Device.objects.order_by("-slot").values_list("slot", flat=True).first() or 0
    Device.objects.bulk_create(Device(
        serial=serial, slot=last + 1 + index, host=host, firmware=firmware, state=state,
        state_since=now, requested_at=now, secret=(serial + "s" * 43)[:43], **values,
    ) for index, serial in enumerate(serials))
"""


def secret_of(serial: str) -> str:
    """The secret `ROWS` gives a device."""
    return (serial + "s" * 43)[:43]
