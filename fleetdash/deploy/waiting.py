"""Waits until every process answers or makes progress, and says which one does not."""

from __future__ import annotations

import http.client
import time
from collections.abc import Collection
from pathlib import Path

import redis
from django.conf import settings

from devices.services import bus
from fleetdash.celery import CONTROL_QUEUE, app
from fleetdash.deploy import processes, records, sockets
from fleetdash.deploy.errors import DeployError

DEADLINE_S = 120.0
# longer than one that fails at once lives
STEADY_S = 6.0
STEADY_DEADLINE_S = 60.0
LAST_LINES = 8


def until_ready(
    var: Path, names: Collection[str], *, since: float, deadline_s: float = DEADLINE_S
) -> None:
    """Return once all these processes, started after `since` (Unix time), are there.

    One left by an earlier supervisor does not count. Raises DeployError with the last words of one
    that is not there within the deadline.
    """
    missing = set(names)
    until = time.monotonic() + deadline_s
    asked = False
    while missing:
        asked = asked or _ask_for_progress()
        missing -= {name for name in missing if _is_ready(var / "run", name, since=since)}
        if missing and time.monotonic() > until:
            name = min(missing)
            raise DeployError(
                f"{', '.join(sorted(missing))} did not come up within {deadline_s:.0f} s. "
                f"{var}/log/{name}.log ends:\n{last_lines(var / 'log' / f'{name}.log')}"
            )
        time.sleep(0.1 if missing else 0.0)


def until_steady(
    var: Path, names: Collection[str], *, deadline_s: float = STEADY_DEADLINE_S
) -> None:
    """Return once all these processes have run for some seconds, which they usually have.

    Raises DeployError with the last words of one that keeps ending.
    """
    until = time.monotonic() + deadline_s
    while restless := {name for name in names if not _is_steady(var / "run", name)}:
        if time.monotonic() > until:
            name = min(restless)
            raise DeployError(
                f"fleetdash runs, but {', '.join(sorted(restless))} ended again and again for "
                f"{deadline_s:.0f} s. {var}/log/{name}.log ends:\n"
                f"{last_lines(var / 'log' / f'{name}.log')}"
            )
        time.sleep(0.2)


def _is_steady(run: Path, name: str) -> bool:
    record = records.living(run, name)
    # a clock that was put back makes no process young
    return record is not None and not 0.0 <= time.time() - record.started_at < STEADY_S


def _ask_for_progress() -> bool:
    """Ask for the round that makes control and worker beat, instead of waiting for beat's first."""
    try:
        if not bus.client().ping():
            return False
    except redis.RedisError:
        return False
    app.send_task("devices.tasks.tend_hosts", queue=CONTROL_QUEUE, expires=60)
    return True


def _is_ready(run: Path, name: str, *, since: float) -> bool:
    record = records.living(run, name)
    if record is None or record.started_at < since:
        return False
    if name in ("web", "gateway"):
        host, port, _ = sockets.addresses()[name]
        return answers(reachable(host), port)
    heartbeat = processes.DECLARED[name].heartbeat
    if not heartbeat:
        return True
    try:
        beat = bus.client().get(bus.heartbeat_key(heartbeat, settings.HOST_NAME))
    except redis.RedisError:
        return False
    return isinstance(beat, bytes) and float(beat) >= record.started_at


def reachable(bind: str) -> str:
    """The address at which a program of this machine reaches what is bound to `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(bind, bind)


def answers(host: str, port: int) -> bool:
    """Whether an HTTP server answers there in order."""
    return 0 < asked(host, port) < 500


def asked(host: str, port: int, *, within_s: float = 5.0) -> int:
    """The HTTP status with which the log-in page is answered there; 0 where nothing answers."""
    connection = http.client.HTTPConnection(host, port, timeout=within_s)
    try:
        connection.request("GET", "/login/", headers={"Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def last_lines(log: Path) -> str:
    """The end of a log, or a word for its absence."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
    except OSError:
        return "(there is no log)"
