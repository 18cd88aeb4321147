"""Sends work to the queues; a broker that is away delays work, for beat asks again."""

from __future__ import annotations

import logging

import redis
from kombu.exceptions import KombuError

from devices.services import bus
from fleetdash.celery import app, host_queue

log = logging.getLogger(__name__)

EXPIRES_S = 30


def to_host(task: str, host_name: str, *more: str) -> None:
    """Ask a host's worker to run `devices.tasks.<task>` for its host, with what `more` it takes."""
    try:
        # answers at once when Redis is away; kombu would try for seconds, whatever it is told
        bus.client().ping()
        app.send_task(
            f"devices.tasks.{task}",
            args=[host_name, *more],
            queue=host_queue(host_name),
            expires=EXPIRES_S,
            retry=False,
        )
    except (KombuError, redis.RedisError, OSError) as error:
        log.warning("%s for %s waits for the next round: %s", task, host_name, error)
