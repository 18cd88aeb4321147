"""Keeps the supervisor alive, and ends a process that runs but makes no progress.

A Celery worker can stay up and stop consuming (celery#10205), so it is progress that is watched,
not the process: a heartbeat in Redis, or for web that it answers. The supervisor starts again what
is ended here.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

import redis
from django.conf import settings

from devices.qemu.errors import ProcessGone
from devices.services import bus
from fleetdash.deploy import records, sockets, starts, supervision, waiting
from fleetdash.deploy.errors import DeployError

LOOK_EVERY_S = 5.0
SILENT_S = 90.0
END_DEADLINE_S = 20.0
# the worker beats because control asks it to: a silent control says nothing of the worker
BLAMED_IN_ORDER = (("control", ("control", "beat")), ("worker", ("worker",)))
INDEPENDENT = (("poller", ("poller",)), ("gateway", ("gateway",)), ("web", ("web",)))
WATCHED = tuple(name for name, _ in (*BLAMED_IN_ORDER, *INDEPENDENT))
# no look counts for more silence than this: after a pause of the machine nobody has had time yet
MOST_A_LOOK_S = 15.0


def to_end(silent_s: Mapping[str, float]) -> list[str]:
    """Which processes to end, given for how long each has shown no progress, in seconds."""
    blamed: list[str] = []
    for name, suspects in BLAMED_IN_ORDER:
        if silent_s.get(name, 0.0) > SILENT_S:
            blamed += suspects
            break
    for name, suspects in INDEPENDENT:
        if silent_s.get(name, 0.0) > SILENT_S:
            blamed += suspects
    return blamed


class Progress:
    """For how long each process has shown none.

    The time in which Redis is away, or takes nothing in, counts for nobody.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._silent_s = dict.fromkeys(names, 0.0)
        self._looked = time.monotonic()

    def look(self) -> dict[str, float]:
        """Look for progress; seconds of silence by process."""
        now = time.monotonic()
        passed = min(now - self._looked, MOST_A_LOOK_S)
        self._looked = now
        alive = _beating([name for name in self._silent_s if name != "web"])
        if "web" in self._silent_s and _web_answers():
            alive.add("web")
        for name in self._silent_s:
            self._silent_s[name] = 0.0 if name in alive else self._silent_s[name] + passed
        return dict(self._silent_s)

    def forgive(self, name: str) -> None:
        """Give a process that was ended the time to come back."""
        self._silent_s[name] = 0.0


def _beating(names: list[str]) -> set[str]:
    """Those whose heartbeat is in Redis; all of them while none can come in.

    A Redis whose disk or memory is full refuses heartbeats and answers whoever reads them.
    """
    if not names:
        return set()
    own = bus.heartbeat_key("watchdog", settings.HOST_NAME)
    try:
        bus.client().set(own, str(time.time()), ex=bus.HEARTBEAT_S)
        beats = bus.client().mget([bus.heartbeat_key(name, settings.HOST_NAME) for name in names])
    except redis.RedisError:
        return set(names)
    assert isinstance(beats, list)
    return {name for name, beat in zip(names, beats, strict=True) if beat is not None}


def _web_answers() -> bool:
    """Whether it answers, whatever it says, or cannot because the machine lost its address.

    Ended, it could not start until the address is back; left alone, it answers there again.
    """
    host, port, _ = sockets.addresses()["web"]
    return waiting.asked(waiting.reachable(host), port) != 0 or not sockets.can_listen(host)


def watch(run: Path) -> None:
    """Watch until the supervisor is to stop for good."""
    progress = Progress(WATCHED)
    while True:
        supervisor = supervision.living(run)
        if supervisor is None:
            if not starts.is_stopping(run):
                _say("the supervisor is gone and is started again")
                supervision.start(settings.VAR_DIR, Path.cwd())
            return  # its own watchdog takes over
        _wait_for_end(supervisor, LOOK_EVERY_S)
        for name in to_end(progress.look()):
            record = records.living(run, name)
            if record is not None:
                _say(f"{name} {record.pid} makes no progress and is ended")
                records.end([record], deadline_s=END_DEADLINE_S)
            progress.forgive(name)


def _say(sentence: str) -> None:
    """Into the log, which is a pipe to a supervisor that may be gone."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{sentence}\n".encode())


def _wait_for_end(record: records.Record, seconds: float) -> None:
    """Wait until this process ends, `seconds` at most."""
    try:
        pidfd = record.identity.open_pidfd()
    except ProcessGone:
        return
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(1000 * seconds)
    finally:
        os.close(pidfd)


def main() -> int:
    """Watch; ends when another watchdog takes over."""
    try:
        watch(settings.VAR_DIR / "run")
    except DeployError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
