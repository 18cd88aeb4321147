"""Forgetting a host: a machine that was renamed, or will not come back."""

from __future__ import annotations

import logging

import redis
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from devices.errors import Conflict, NotFound, Unavailable
from devices.models import Device, HistoryPoint, Host, Operation
from devices.services import architectures, asking, bus, transitions
from devices.states import State
from fleetdash.celery import host_queue

log = logging.getLogger(__name__)

PROCESSES = ("worker", "poller", bus.GATEWAY)


def is_silent(name: str) -> bool:
    """Whether this is another machine of which nothing is heard; False while nobody knows."""
    try:
        return name != settings.HOST_NAME and not _is_heard(name)
    except redis.RedisError:
        return False


def forget(name: str, actor: AbstractBaseUser | None) -> None:
    """Delete a host on which nothing runs, with what is remembered of its devices that are gone.

    Devices whose end was asked for are gone with it: there is nobody to end them. A worker that
    comes back is known again after `bin/up` there. Raises NotFound, Conflict or Unavailable.
    """
    if not Host.objects.filter(name=name).exists():
        raise NotFound(f"There is no host {name[:63]}.")
    _check_nothing_runs(name)
    with transaction.atomic():
        asking.lock_hosts()  # nobody is given a place on it meanwhile
        _check_devices(name)
        its_own = Device.objects.on(name)
        transitions.move(
            list(its_own.filter(state=State.STOPPING).values_list("id", flat=True)),
            old=State.STOPPING, new=State.GONE, reason=f"its host {name} was forgotten",
            pid=None, start_time=None,
        )
        operations = list(
            Operation.objects.filter(targets__device__host__name=name)
            .order_by().values_list("id", flat=True).distinct()
        )
        gone = its_own.count()
        its_own.delete()
        Operation.objects.filter(id__in=operations, targets=None).delete()
        HistoryPoint.objects.filter(series=name).delete()
        Host.objects.filter(name=name).delete()
        transaction.on_commit(lambda: _forget_words(name))
    who = actor.get_username() if actor else "nobody"
    log.info("host %s was forgotten with %d devices that were gone; asked by %s", name, gone, who)


def _is_heard(name: str) -> bool:
    keys = [bus.heartbeat_key(process, name) for process in PROCESSES]
    return bool(bus.client().exists(*keys))


def _check_nothing_runs(name: str) -> None:
    if name == settings.HOST_NAME:
        raise Conflict(f"{name} is not forgotten: what answers you runs on this machine.")
    try:
        heard = _is_heard(name)
    except redis.RedisError:
        raise Unavailable(
            f"Redis is away, so nobody knows whether {name} is at work; try again."
        ) from None
    if heard:
        raise Conflict(f"{name} is at work. Stop it first: bin/down on that machine.")


def _check_devices(name: str) -> None:
    left = Device.objects.on(name).exclude(state__in=(State.GONE, State.STOPPING)).count()
    if left:
        devices = "1 device" if left == 1 else f"{left:,} devices"
        raise Conflict(
            f"{name} has {devices}. Remove them first; where nobody ends them they stay "
            "“stopping” and go with the host."
        )
    newest = Device.objects.select_related("host").order_by("-id").first()
    if newest is not None and newest.host.name == name:
        raise Conflict(
            f"The fleet's newest device was on {name}, and serial numbers count on from it: add a "
            "device on another host first."
        )


def _forget_words(name: str) -> None:
    """Of what is kept in Redis, that which does not end by itself."""
    with bus.tolerant("a forgotten host"):
        bus.client().delete(
            host_queue(name), bus.merging_key(name), bus.shortcomings_key(name),
            *(bus.template_key(name, each) for each in architectures.ALL),
        )
    bus.publish_changes()
