"""A whole fleetdash, started by the real bin/up with folders, ports and namespaces of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devices.host import kernel_settings, ksm_control
from devices.qemu import confinement
from fleetdash.deploy import guests, records
from fleetdash.deploy.installation import Installation
from tests.api.served import free_port

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("FLEETDASH_CACHE") or CHECKOUT / "var" / "cache")
UP_DEADLINE_S = 420.0
DOWN_DEADLINE_S = 120.0
_PASSWORD = re.compile(r"Log in as admin with the password (\S+)")


class ApiError(Exception):
    """The API refused; `status` and the problem's `body`."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@dataclass
class Fleet:
    """A running fleetdash; `output` is what its first bin/up printed."""

    var: Path
    port: int
    gateway_port: int
    admin_password: str = ""
    token: str = ""
    output: str = ""
    more_environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The web address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def installation(self) -> Installation:
        """Its folders and the names derived from them."""
        return Installation(CHECKOUT, self.var.resolve())

    def environment(self) -> dict[str, str]:
        """What bin/up, bin/down and bin/fleet are run with."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLEETDASH_", "REDIS_URL", "DATABASE_URL"))
        }
        return {
            **kept,
            "FLEETDASH_VAR": str(self.var),
            "FLEETDASH_PORT": str(self.port),
            "FLEETDASH_GATEWAY_PORT": str(self.gateway_port),
            "FLEETDASH_CACHE": str(CACHE),
            **self.more_environment,
        }

    def run(self, *command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command of the checkout, such as `bin/fleet`, against this fleet."""
        program = str(CHECKOUT / command[0])
        return subprocess.run(
            [program, *command[1:]],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def up(self) -> str:
        """bin/up --detach; gives what it printed and learns password and token."""
        done = self.run("bin/up", "--detach", timeout_s=UP_DEADLINE_S)
        output = done.stdout + done.stderr
        if done.returncode != 0:
            raise AssertionError(f"bin/up failed:\n{output}\n{self.logs()}")
        self.output = self.output or output
        if found := _PASSWORD.search(done.stdout):
            self.admin_password = found[1]
        access = json.loads((self.var / "secrets" / "cli.json").read_text())
        self.token = access["token"]
        return output

    def down(self, *arguments: str) -> str:
        """bin/down; gives what it printed."""
        done = self.run("bin/down", *arguments, timeout_s=DOWN_DEADLINE_S)
        if done.returncode != 0:
            raise AssertionError(f"bin/down failed:\n{done.stdout}{done.stderr}\n{self.logs()}")
        return done.stdout

    def processes(self) -> dict[str, records.Record]:
        """Our own processes that run now, the supervisor among them."""
        found = records.recorded(self.var / "run")
        return {record.name: record for record in found if record.is_alive()}

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A request to `/api/v1/<path>` with the token; raises ApiError when it is refused."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path.lstrip('/')}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode(errors="replace")) from None
        return json.loads(content) if content else None

    def template_is_ready(self) -> bool:
        """Whether devices wake from a template here; until then one more guest may be running."""
        worker = self.processes().get("worker")
        template = self.api("GET", "summary")["hosts"][0]["template"]
        if worker is None or template is None or template["state"] != "ready":
            return False
        # a worker that was killed left its last word behind
        return bool(template["at"] >= worker.started_at)

    def logs(self, lines: int = 15) -> str:
        """The ends of all logs, for a failure's message."""
        parts = []
        for log in sorted((self.var / "log").glob("*.log")):
            end = "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            parts.append(f"--- {log.name}\n{end}")
        return "\n".join(parts)

    def leftovers(self) -> list[str]:
        """What should be gone after bin/down and is not."""
        here = self.installation
        left = [f"process {name} {record.pid}" for name, record in self.processes().items()]
        left += [f"guest {guest.pid}" for guest in guests.running(self.var)]
        if confinement.namespace_path(here.namespace_name).exists():
            left.append(f"namespace {here.namespace_name}")
        if here.seen_folder.exists():
            left.append(f"folder {here.seen_folder}")
        mounts = Path("/proc/self/mountinfo").read_text()
        for group in _control_groups(mounts, here.namespace_name):
            left.append(f"control group {group}")
        if os.geteuid() == 0 and ksm_control.restore().done:
            left.append("settings of the kernel's merging")
        if os.geteuid() == 0 and kernel_settings.release(here.id):
            left.append("settings of the kernel")
        return left


def _control_groups(mountinfo: str, name: str) -> list[Path]:
    from devices.qemu.cgroup import hierarchies

    return [root / name for root in hierarchies(mountinfo) if (root / name).exists()]


def new_fleet() -> Fleet:
    """A fleet that is not started yet; what this checkout has built already is used again."""
    var = Path(tempfile.mkdtemp(prefix="fleetdash-"))
    var.chmod(0o755)
    for name in ("firmware", "accelerators.json"):
        built = CHECKOUT / "var" / name
        if built.exists():
            subprocess.run(["cp", "-a", "--sparse=always", built, var / name], check=True)
    return Fleet(var=var, port=free_port(), gateway_port=free_port())


def remove(fleet: Fleet) -> None:
    """Delete its folder."""
    shutil.rmtree(fleet.var, ignore_errors=True)
