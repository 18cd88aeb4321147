"""The supervisor: its configuration, start, stop, and what it says of the processes."""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devices.qemu.errors import ProcessGone
from fleetdash.deploy import records
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.processes import Process, start_command

NAME = "supervisord"
START_DEADLINE_S = 15.0
LOG_BYTES = "5MB"
LOG_BACKUPS = 3


def configuration(var: Path, checkout: Path, processes: Sequence[Process], *, as_root: bool) -> str:
    """The text of supervisord.conf (http://supervisord.org/configuration.html).

    `startsecs=0` makes every end a reason to start again at once; holding back a process that
    fails at once is the starter's, for supervisord's own pause grows without a bound.
    """
    run = var / "run"
    lines = [
        "[supervisord]",
        "nodaemon=true",
        # its own log is rotated, standard output is not
        "silent=true",
        f"logfile={var}/log/supervisord.log",
        f"logfile_maxbytes={LOG_BYTES}",
        f"logfile_backups={LOG_BACKUPS}",
        f"pidfile={run}/supervisor/pid",
        f"childlogdir={var}/log",
        f"directory={checkout}",
        "strip_ansi=true",
        "minfds=1024",
        *(["user=root"] if as_root else []),
        "",
        "[unix_http_server]",
        f"file={socket_of(run)}",
        "chmod=0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "",
    ]
    for priority, (group, names) in enumerate(_groups(processes)):
        lines += [f"[group:{group}]", f"programs={','.join(names)}", f"priority={priority}", ""]
    for process in processes:
        # the one value in which an expression is looked for twice
        log = f"{var}/log/{process.name}.log".replace("%", "%%")
        command = shlex.join(start_command(sys.executable, process.name))
        lines += [
            f"[program:{process.name}]",
            f"command={command}",
            "autostart=true",
            "autorestart=true",
            "startsecs=0",
            f"stopwaitsecs={process.stop_within_s}",
            "redirect_stderr=true",
            f"stdout_logfile={log}",
            f"stdout_logfile_maxbytes={LOG_BYTES}",
            f"stdout_logfile_backups={LOG_BACKUPS}",
            "",
        ]
    # % starts an expression in this format
    return "\n".join(lines).replace("%", "%%")


def _groups(processes: Sequence[Process]) -> list[tuple[str, list[str]]]:
    """Groups end one after another, the last first, and a group's programs all at once.

    Redis outlives the others, which have something to say to it when they end.
    """
    first = [each.name for each in processes if each.name == "redis"]
    others = [each.name for each in processes if each.name != "redis"]
    return [*([("broker", first)] if first else []), ("fleetdash", others)]


def socket_of(run: Path) -> Path:
    """The supervisor's control socket."""
    return run / "supervisor" / "control.sock"


def start(var: Path, checkout: Path) -> records.Record:
    """Start the supervisor in a session of its own and wait until it answers.

    Raises DeployError with its last words when it does not, and where one runs already: two would
    end each other's processes.
    """
    run = var / "run"
    present = living(run)
    if present is not None:
        raise DeployError(
            f"A supervisor was started meanwhile (process {present.pid}); try again."
        )
    with contextlib.suppress(FileNotFoundError):
        socket_of(run).unlink()
    log, printed = var / "log" / "supervisord.log", var / "log" / "supervisord.out"
    logged = log.stat().st_size if log.exists() else 0
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(run / "supervisord.conf")],
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # one that has ended at once cannot be recorded
    with contextlib.suppress(ProcessGone):
        record = records.write(run, NAME, process.pid)
        until = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < until and process.poll() is None:
            if states(run):
                return record
            time.sleep(0.05)
    if process.poll() is None:
        process.kill()
        process.wait()
    records.remove(run, NAME)
    said = f"{_end_of(log, logged)}\n{_end_of(printed)}".strip()
    raise DeployError(f"The supervisor did not start; it said: {said or 'nothing'}")


def _end_of(file: Path, begin: int = 0) -> str:
    """Its last words, from `begin` on if it has not become shorter, which means rotated."""
    with contextlib.suppress(FileNotFoundError):
        said = file.read_bytes()
        return said[begin if begin <= len(said) else 0 :].decode(errors="replace").strip()[-500:]
    return ""


def answers(run: Path, *, within_s: float) -> bool:
    """Whether a supervisor runs and answers; a busy machine is given time."""
    until = time.monotonic() + within_s
    while living(run) is not None:
        if states(run):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return False


def living(run: Path) -> records.Record | None:
    """The supervisor that runs, or None."""
    return records.living(run, NAME)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Connect to the control socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        # a deep folder makes the path too long for sun_path; its descriptor's name is short
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A connection to the control socket, whatever the address."""
        connection = _UnixConnection(self._path)
        # so that it is closed when it fails
        self._connection = host, connection
        return connection


def states(run: Path) -> dict[str, str]:
    """Each process's state as the supervisor calls it (`RUNNING`, …); empty when it is away."""
    transport = _UnixTransport(socket_of(run))
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            answer = proxy.supervisor.getAllProcessInfo()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return {}
    assert isinstance(answer, list)
    return {str(each["name"]): str(each["statename"]) for each in answer}
