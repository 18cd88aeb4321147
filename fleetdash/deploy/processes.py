"""The processes of a fleet, declared once: `bin/up`, the containers and the tests read them here.

Each is started by `python -m fleetdash.deploy.run NAME`, under the supervisor and in a container
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from fleetdash.celery import CONTROL_QUEUE, host_queue

Listening = Literal["web", "gateway", "guests"]

OURS_OOM_SCORE_ADJ = -500
# a page and a device's report come before guests that keep every core busy (setpriority(2))
OURS_NICE = -5
# where the kernel shares out cores by session (sched(7), autogroup): each guest is one, and all of
# ours together would be another with no more than its share
OURS_SESSION_NICE = -10


@dataclass(frozen=True)
class Process:
    """One process: what it executes, as whom, and what must be open before it does.

    `arguments` come after the interpreter; `{fd:web}` and the like stand for the number of a
    listening socket the starter opens. `keeps_root` is for what cannot work without it.
    `nice` is its priority; a guest has that of the worker which starts it.
    `heartbeat` names the key in Redis that says the process makes progress. `in_containers` is
    False for what a container's own restarting makes needless.
    """

    name: str
    arguments: Callable[[], Sequence[str]]
    listens: tuple[Listening, ...] = ()
    keeps_root: bool = False
    heartbeat: str = ""
    nice: int = OURS_NICE
    stop_within_s: int = 10
    in_containers: bool = True


def start_command(python: str, name: str) -> list[str]:
    """The command that starts a process, here and in a container."""
    return [python, "-m", "fleetdash.deploy.run", name]


def _daphne(application: str, *listens: Listening, extra: Sequence[str] = ()) -> list[str]:
    endpoints: list[str] = []
    for each in listens:
        endpoints += ["-e", f"fd:fileno={{fd:{each}}}"]
    # a wall display stays for weeks; Daphne's own limit is a day
    return ["-m", "daphne", "-v", "0", "--websocket_timeout", "-1", *extra, *endpoints, application]


def _web() -> list[str]:
    return _daphne("fleetdash.asgi:application", "web")


def _gateway() -> list[str]:
    # devices beat every 30 s: a ping wakes only those that have fallen silent
    silent = ["--ping-interval", "90", "--ping-timeout", "60", "--no-server-name"]
    return _daphne("fleetdash.gateway_asgi:application", "gateway", "guests", extra=silent)


def _celery_worker(queue: str, threads: int) -> list[str]:
    return [
        "-m", "celery", "-A", "fleetdash", "worker", "-P", "threads", "-c", str(threads),
        "-Q", queue, "-n", f"{queue}@{settings.HOST_NAME}",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def _worker() -> list[str]:
    return _celery_worker(host_queue(settings.HOST_NAME), 4)


def _control() -> list[str]:
    return _celery_worker(CONTROL_QUEUE, 2)


def _poller() -> list[str]:
    return _celery_worker(f"poller.{settings.HOST_NAME}", 1)


def _beat() -> list[str]:
    # a schedule in memory: nothing to be torn by a SIGKILL, and nothing is rarer than an hour
    return [
        "-m", "celery", "-A", "fleetdash", "beat", "-S", "celery.beat:Scheduler",
        "--pidfile=",
    ]  # fmt: skip


def _redis() -> list[str]:
    return ["redis-server", str(settings.VAR_DIR / "run" / "redis.conf")]


def _watchdog() -> list[str]:
    return ["-m", "fleetdash.deploy.watchdog"]


DECLARED: dict[str, Process] = {
    process.name: process
    for process in (
        Process("redis", _redis),
        Process("web", _web, listens=("web",)),
        Process("gateway", _gateway, listens=("gateway", "guests")),
        Process("worker", _worker, keeps_root=True, heartbeat="worker", nice=0, stop_within_s=20),
        Process("control", _control, heartbeat="control", stop_within_s=20),
        Process("beat", _beat),
        Process("poller", _poller, heartbeat="poller"),
        # it must be able to end a process that hangs, whoever that one runs as
        Process("watchdog", _watchdog, keeps_root=True, in_containers=False),
    )
}


def command(process: Process, python: str, sockets: dict[str, int]) -> list[str]:
    """What a process executes, with the numbers of its listening sockets filled in."""
    arguments = list(process.arguments())
    # without root there is no namespace to listen in, and that endpoint is left out
    kept: list[str] = []
    for argument in arguments:
        for name in process.listens:
            if f"{{fd:{name}}}" in argument:
                if name in sockets:
                    argument = argument.replace(f"{{fd:{name}}}", str(sockets[name]))
                else:
                    kept.pop()
                    argument = ""
        if argument:
            kept.append(argument)
    return kept if kept[0] != "-m" else [python, *kept]


def wanted(*, own_redis: bool) -> list[Process]:
    """The processes of this machine; Redis only when nobody else provides it."""
    return [each for each in DECLARED.values() if own_redis or each.name != "redis"]
