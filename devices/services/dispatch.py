"""Sends work to the hosts' queues; what does not reach its host delays work, for beat asks again.

A message that waits expires, but only a worker looks at that: the queue of a host that has none
would grow by 17,280 messages a day, until Redis is full and the whole fleet stops.
"""

from __future__ import annotations

import logging

import redis
from kombu.exceptions import KombuError

from devices.services import bus
from fleetdash.celery import app, host_queue

log = logging.getLogger(__name__)

EXPIRES_S = 30
MOST_WAITING = 200


def to_host(task: str, host_name: str, *more: str) -> None:
    """Ask a host's worker to run `devices.tasks.<task>` for its host, with what `more` it takes.

    A host for which much is waiting is not asked: every task here is a round that beat asks for
    again, or answers somebody who waits for seconds only.
    """
    try:
        # answers at once when Redis is away; kombu would try for seconds, whatever it is told
        if bus.client().llen(host_queue(host_name)) >= MOST_WAITING:
            return
        app.send_task(
            f"devices.tasks.{task}",
            args=[host_name, *more],
            queue=host_queue(host_name),
            expires=EXPIRES_S,
            retry=False,
        )
    except (KombuError, redis.RedisError, OSError) as error:
        log.warning("%s for %s waits for the next round: %s", task, host_name, error)
