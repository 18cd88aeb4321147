"""The poller and the rotation over exact memory as parts of a Celery worker.

They start and stop with the worker they belong to, known by its queue: `poller.<host>` for the
poller, `host.<host>` for the worker that has root. Their threads are their own: a task, however
slow, delays them no further than the interpreter's lock is held. Both start after the pool, so
that no child is forked with a thread half-way through something.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from celery import Celery, bootsteps
from django.conf import settings
from django.db import close_old_connections

from devices.host import inventory
from devices.host.endings import Ending, OomWatch
from devices.host.guest_memory import GuestCost
from devices.poller.guest import GuestRef, guest_ref
from devices.poller.own_processes import OwnProcesses
from devices.poller.pss import PssRotation, PssThread
from devices.poller.publisher import LatestPublisher
from devices.poller.roster import RosterKeeper
from devices.poller.sampler import Sampler
from devices.poller.subscription import Subscription
from devices.poller.watch import PidfdWatch

SWITCH_INTERVAL_S = 0.0005

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def poller_queue(host_name: str) -> str:
    """The queue of a host's poller."""
    return f"poller.{host_name}"


def install(app: Celery) -> None:
    """Make workers of this application run the poller, or the rotation, where it belongs."""
    steps = app.steps["worker"]
    steps.add(PollerStep)
    steps.add(PssStep)


def consumes(worker: Any, queue: str) -> bool:
    """Whether a worker takes tasks from this queue."""
    return queue in worker.app.amqp.queues.consume_from


class Poller:
    """All of the poller's threads.

    A sample reads some twenty files, and each reading gives the interpreter's lock away and has to
    wait for it: the shorter switch interval keeps the beat while a thousand deaths are written down
    in another thread.
    """

    def __init__(self, host: str) -> None:
        from devices.services import bus, deaths, guests, usage

        _raise_open_files()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        killed = OomWatch()

        def ended(endings: Mapping[str, Ending]) -> int:
            return guests.guests_exited(host, deaths.causes(endings, killed.lately()))

        self._watch = PidfdWatch(
            _with_database(ended),
            boot_id=inventory.boot_id(),
        )
        self._roster = RosterKeeper(
            self._watch,
            Subscription(bus.guests_channel(host), bus.client),
            load_guests=lambda: living_guests(host),
            load_pss=lambda: bus.pss(host),
        )
        self._publisher = LatestPublisher()
        own = OwnProcesses(
            settings.VAR_DIR / "run",
            offer=self._publisher.offer,
            keep=lambda uses: usage.keep_processes(host, uses),
        )

        def each_second() -> None:
            killed.note()
            own.note()

        self._sampler = Sampler(
            host, voice=bus, roster=self._roster, offer=self._publisher.offer,
            each_second=each_second,
        )

    def start(self) -> None:
        """Start all threads."""
        for part in (self._publisher, self._watch, self._roster, self._sampler):
            part.start()

    def stop(self) -> None:
        """Stop all threads; guests run on."""
        for part in (self._sampler, self._roster, self._watch, self._publisher):
            part.stop()


class PollerStep(bootsteps.StartStopStep):
    """Runs the poller in the worker whose queue is `poller.<host>`."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """Only in the poller."""
        return consumes(worker, poller_queue(settings.HOST_NAME))

    def create(self, worker: Any) -> Poller:  # type: ignore[override]
        """The poller, not yet started."""
        return Poller(settings.HOST_NAME)


class PssStep(bootsteps.StartStopStep):
    """Runs the rotation over exact memory in the worker whose queue is `host.<host>`."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """Only in the worker that runs guests."""
        return consumes(worker, f"host.{settings.HOST_NAME}")

    def create(self, worker: Any) -> PssThread:  # type: ignore[override]
        """The rotation, not yet started."""
        from devices.services import bus, costs, templates

        host = settings.HOST_NAME

        def learn(guests: dict[str, GuestCost]) -> None:
            costs.learn(host, guests, templates.ready_keys())

        return PssThread(
            PssRotation(),
            load_guests=lambda: living_guests(host),
            publish=lambda kib: bus.publish_pss(host, kib),
            learn=_with_database(learn),
        )


def living_guests(host: str) -> list[GuestRef]:
    """All living guests of a host, from the database."""
    from devices.services import guests

    return [guest_ref(row) for row in _with_database(guests.living_guests)(host)]


def _with_database(call: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """The same call, with a connection that is renewed when it broke, as Django does a request."""

    def called(argument: Argument) -> Result:
        close_old_connections()
        try:
            return call(argument)
        finally:
            close_old_connections()

    return called


def _raise_open_files() -> None:
    """Two open files a guest: take all that the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
