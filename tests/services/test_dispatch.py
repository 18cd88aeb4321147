from __future__ import annotations

import pytest

from devices.services import bus, dispatch, tending
from fleetdash.celery import host_queue
from tests.rows import a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_a_host_without_a_worker_is_asked_no_more_when_much_waits_for_it() -> None:
    a_host("away")
    queue = host_queue("away")
    for _ in range(3):
        tending.ask_all("here")
    assert bus.client().llen(queue) == 3
    bus.client().rpush(queue, *[b"{}"] * (dispatch.MOST_WAITING - 4))
    for _ in range(3):
        tending.ask_all("here")
    assert bus.client().llen(queue) == dispatch.MOST_WAITING


def test_it_is_asked_again_once_its_worker_took_what_waited() -> None:
    queue = host_queue("back")
    bus.client().rpush(queue, *[b"{}"] * dispatch.MOST_WAITING)
    dispatch.to_host("reap", "back")
    assert bus.client().llen(queue) == dispatch.MOST_WAITING
    bus.client().delete(queue)
    dispatch.to_host("reap", "back")
    assert bus.client().llen(queue) == 1
