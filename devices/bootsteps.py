"""What workers do beside their tasks: take over running guests, record consoles and history."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import Celery, bootsteps
from django.conf import settings
from django.db import close_old_connections

from fleetdash.celery import CONTROL_QUEUE, host_queue

log = logging.getLogger(__name__)


def install(app: Celery) -> None:
    """Make the worker of a host, known by its queue, tend its guests as soon as it starts."""
    app.steps["worker"].add(TendingStep)
    app.steps["worker"].add(MergingStep)
    app.steps["worker"].add(HistoryStep)


class FirstRound:
    """One round of tending in a thread of its own, so that adopting delays no task."""

    def __init__(self, host_name: str) -> None:
        self._host_name = host_name
        self._thread = threading.Thread(target=self._run, name="first-round", daemon=True)

    def start(self) -> None:
        """Record consoles and begin the round."""
        from devices.qemu import process_memory
        from devices.services import consoles, shortcomings

        # guests inherit how this process treats memory
        lacking = process_memory.set_for_guests(mergeable=settings.KSM != "off")
        for sentence in lacking:
            log.warning("%s", sentence)
        shortcomings.note(lacking)
        consoles.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop recording; guests run on."""
        from devices.services import consoles

        consoles.stop()

    def _run(self) -> None:
        from devices.services import tending

        try:
            tending.tend(self._host_name)
        except Exception:
            # the next round is seconds away; a worker that does not start helps nobody
            log.exception("the first round of tending failed")
        finally:
            close_old_connections()


class TendingStep(bootsteps.StartStopStep):
    """Runs the first round in the worker whose queue is `host.<name>`."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """Only in the worker that runs guests."""
        return host_queue(settings.HOST_NAME) in worker.app.amqp.queues.consume_from

    def create(self, worker: Any) -> FirstRound:  # type: ignore[override]
        """The first round, not yet begun."""
        return FirstRound(settings.HOST_NAME)


class MergingStep(bootsteps.StartStopStep):
    """Paces the kernel's merging in the worker whose queue is `host.<name>`."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """Only in the worker that runs guests."""
        return host_queue(settings.HOST_NAME) in worker.app.amqp.queues.consume_from

    def create(self, worker: Any) -> Any:
        """The pacing thread, not yet started."""
        from devices.services import guests, merging

        def count() -> int:
            close_old_connections()
            try:
                return guests.count_living(settings.HOST_NAME)
            finally:
                close_old_connections()

        return merging.Merger(settings.HOST_NAME, count)


class HistoryStep(bootsteps.StartStopStep):
    """Writes history in the worker of the queue `control`."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, worker: Any) -> bool:
        """Only in the worker that plans for the fleet."""
        return CONTROL_QUEUE in worker.app.amqp.queues.consume_from

    def create(self, worker: Any) -> Any:
        """The recording thread, not yet started."""
        from devices.services import recorder

        return recorder.Recorder()
