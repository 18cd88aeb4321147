"""A Redis, a database and a web process of their own, in a folder that is gone afterwards.

Nothing here is known to a running fleet: other ports, other files, another Redis.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "simulated"
START_S = 60.0
OURS = ("FLEETDASH_", "REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")


@dataclass
class Scene:
    """What runs, and the way to it; `stop` ends what was started here and nothing else."""

    folder: Path
    port: int
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.port}"

    def start(
        self, name: str, command: Sequence[str], **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a process; what it complains of goes to the folder's `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment, stderr=log, **options
            )
        self.processes[name] = process
        return process

    def python(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a Python program of this checkout."""
        return self.start(name, [sys.executable, *arguments], **options)

    def ask(self, module: str, *arguments: str) -> Any:
        """Run a module to its end and give the JSON it printed; raises BenchError if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise BenchError(f"{module} failed:\n{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def start_redis(self) -> None:
        """Start Redis and wait until it listens."""
        program = shutil.which("redis-server")
        if program is None:
            raise BenchError("redis-server is missing; apt-get install redis-server")
        where = self.folder / "redis.sock"
        self.start(
            "redis",
            [program, "--port", "0", "--unixsocket", str(where), "--save", "", "--dir",
             str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(where))
                return
            self._check("redis", deadline)

    def start_web(self) -> None:
        """Start the web process, by the very command of a fleet, and wait until it answers."""
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
        from fleetdash.deploy import processes

        with socket.create_server(("127.0.0.1", self.port), backlog=512) as listening:
            web = processes.DECLARED["web"]
            command = processes.command(web, sys.executable, {"web": listening.fileno()})
            self.start("web", command, pass_fds=[listening.fileno()])
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api/v1/summary", timeout=5).close()
            except urllib.error.HTTPError as refused:  # by a server that is there
                refused.close()
                return
            except OSError:
                pass
            self._check("web", deadline)

    def _check(self, name: str, deadline: float) -> None:
        if self.processes[name].poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{name} does not start:\n{self.log()}")
        time.sleep(0.05)

    def log(self) -> str:
        """The end of what the processes complained of."""
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-20:])

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process."""
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def scene(*, port: int | None = None, **environment: str) -> Iterator[Scene]:
    """Redis, database and an environment for the rest; ended and removed in the end."""
    with tempfile.TemporaryDirectory(prefix="fleetdash-live-") as name:
        folder = Path(name)
        port = port or _free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        (folder / "db").mkdir()
        made = Scene(
            folder,
            port,
            {
                **kept,
                "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
                "FLEETDASH_VAR": name,
                "FLEETDASH_PORT": str(port),
                "FLEETDASH_HOST": HOST,
                "FLEETDASH_SECRET_KEY": os.urandom(32).hex(),
                "FLEETDASH_SIMULATED": "1",
                "REDIS_URL": f"unix://{folder}/redis.sock",
                **environment,
            },
        )
        try:
            made.start_redis()
            yield made
        finally:
            for process in reversed([*made.processes]):
                made.end(process)
