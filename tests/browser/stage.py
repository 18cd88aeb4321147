"""The page without guests: real web process, database and Redis; the test plays the poller."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from devices.services import bus
from tests.api.served import free_port
from tests.lever_report import a_report
from tests.live.conftest import PrivateRedis

ROOT = Path(__file__).resolve().parents[2]
HOST = "stage"
PASSWORD = "a long password"
ROWS = f"""
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from tests.rows import a_device, a_firmware, a_host
from devices.models import Device, Operation, Target
from devices.services import tokens
from devices.states import State
call_command("migrate", verbosity=0)
admin = User.objects.create_superuser("admin", password={PASSWORD!r})
tokens.create(admin, "measures " + "x" * 60)
host = a_host({HOST!r}, accelerators={{"arm64": {{"accelerator": "tcg", "seconds": 3.4,
    "refused": {{"kvm": "This machine is x64."}}}}}})
a_firmware()
for slot in range(30):
    state = State.FAILED if slot == 29 else State.ONLINE
    a_device(
        host, slot=slot, serial=f"fd-{{slot:06d}}", state=state,
        command_line=["qemu", "-m", "128"],
    )
now = timezone.now()
asked = Operation.objects.create(
    id=1, kind="reboot", state="partly", count=3, created_at=now, ended_at=now,
)
outcomes = ("done", "failed", "cancelled")
for device, outcome in zip(Device.objects.order_by("id"), outcomes):
    Target.objects.create(operation=asked, device=device, outcome=outcome, ended_at=now)
"""


class Stage:
    """A web process that can be killed and started, and a poller that can fall silent."""

    def __init__(self, folder: Path) -> None:
        self.redis = PrivateRedis(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "web.log").open("wb")
        (folder / "db").mkdir()
        self._database = folder / "db" / "fleetdash.sqlite3"
        settings = folder / "stage_settings.py"
        settings.write_text(
            "from fleetdash.settings import *\n"
            "STORAGES = {**STORAGES, 'staticfiles': {'BACKEND': "
            "'django.contrib.staticfiles.storage.StaticFilesStorage'}}\n"
            "WHITENOISE_USE_FINDERS = True\n"
            "WHITENOISE_AUTOREFRESH = True\n"
        )
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{folder}",
            "DJANGO_SETTINGS_MODULE": "stage_settings",
            "FLEETDASH_VAR": str(folder),
            "FLEETDASH_PORT": str(self.port),
            "FLEETDASH_SECRET_KEY": "only for this test",
            "FLEETDASH_HOST": HOST,
            "REDIS_URL": self.redis.url,
        }
        self._run("-c", "import django; django.setup()\n" + ROWS).check_returncode()
        self._web: subprocess.Popen[bytes] | None = None
        self.start_web()
        self.publishing = threading.Event()
        self._ended = threading.Event()
        self._poller = threading.Thread(target=self._publish, daemon=True)
        self._poller.start()
        self.publishing.set()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, *arguments], env=self._environment, cwd=ROOT, check=False
        )

    def start_web(self) -> None:
        """Start the web process and wait until it answers."""
        self._web = subprocess.Popen(
            [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port),
             "--websocket_timeout", "-1", "fleetdash.asgi:application"],
            env=self._environment, cwd=ROOT, stdout=self._log, stderr=self._log,
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(self.url + "/login/", timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the web process does not answer"
                time.sleep(0.1)

    def kill_web(self) -> None:
        """End the web process without a word."""
        assert self._web is not None
        self._web.kill()
        self._web.wait(timeout=10)

    def change(self, slot: int, state: str, reason: str = "") -> None:
        """Move the device that began in this place and say so, as a service does."""
        self.keep(slot, state, reason, slot)
        self.publish(slot, state)

    def keep(self, number: int, state: str, reason: str = "", slot: int | None = None) -> None:
        """Write down how fd-<number> is now and which place it has, without a word."""
        with contextlib.closing(sqlite3.connect(self._database, timeout=30)) as database, database:
            written = database.execute(
                "UPDATE devices_device SET state = ?, reason = ?, slot = ?, state_since = ? "
                "WHERE serial = ?",
                (state, reason, slot, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}",
                 f"fd-{number:06d}"),
            )
            assert written.rowcount == 1

    def publish(self, slot: int, state: str) -> None:
        """Say that the device in a place has moved."""
        with redis.Redis.from_url(self.redis.url) as client:
            changes = {"at": time.time(), "devices": [[slot, state]], "operations": []}
            client.publish(bus.CHANGES, json.dumps(changes))

    def run(self, code: str) -> None:
        """Run Python beside the web process, with Django set up."""
        self._run("-c", "import django; django.setup()\n" + code).check_returncode()

    def say(self, serial: str, output: bytes) -> None:
        """Let a device speak on its console."""
        code = (
            "import django; django.setup()\n"
            "from devices.services import bus\n"
            f"bus.append_console({{{serial!r}: {output!r}}})\n"
        )
        self._run("-c", code).check_returncode()

    def _publish(self) -> None:
        sample: dict[str, Any] = {
            "at": 0.0, "uptime_s": 1.0, "psi": None, "ksm": None, "zram": None,
            "limits": {"tasks_left": 30_000, "open_files": 20_000},
            "cpu": {"online": 2, "run_queue": 0.0, "busy": 0.1},
            "load": {"one": 0.1, "five": 0.1, "fifteen": 0.1, "tasks": 100},
            "memory": {
                "total_bytes": 24 << 30, "available_bytes": 20 << 30,
                "swap_total_bytes": 0, "swap_free_bytes": 0,
            },
        }
        client = redis.Redis.from_url(self.redis.url)
        client.set(f"fleet:levers:{HOST}", json.dumps(a_report()))
        beat = 0
        while not self._ended.wait(0.25):
            if not self.publishing.is_set():
                continue
            beat += 1
            try:
                cores = struct.pack("<d", time.time()) + bytes([beat % 256, 255])
                client.publish(f"fleet:cores:{HOST}", cores)
                if beat % 4 == 0:
                    client.set(f"fleet:host:{HOST}", json.dumps(sample), ex=30)
                    client.publish(f"fleet:host:{HOST}", json.dumps(sample))
            except redis.RedisError:
                client.connection_pool.disconnect()
        client.close()

    def end(self) -> None:
        """Leave nothing behind."""
        self._ended.set()
        self._poller.join(timeout=5)
        self.kill_web()
        self.redis.stop()
        self._log.close()
