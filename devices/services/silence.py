"""Devices that stopped reporting, and those heard from again."""

from __future__ import annotations

import time

import redis
from django.conf import settings
from django.utils import timezone

from devices.models import Device
from devices.services import bus, reporting, transitions
from devices.states import State


def notice_silence() -> None:
    """Move online devices not heard from to offline, and offline ones heard from to online.

    While Redis is away nothing is known and nothing is moved; a device without a time (Redis lost
    it) starts a new grace.
    """
    now = time.time()
    online = dict(Device.objects.filter(state=State.ONLINE).values_list("serial", "id"))
    offline = dict(Device.objects.filter(state=State.OFFLINE).values_list("serial", "id"))
    try:
        heard = bus.last_heard([*online, *offline])
    except redis.RedisError:
        return
    reporting.remember([serial for serial in online if serial not in heard], now)
    limit = now - settings.OFFLINE_AFTER_S
    silent = [id_ for serial, id_ in online.items() if heard.get(serial, now) < limit]
    back = [id_ for serial, id_ in offline.items() if heard.get(serial, 0.0) > limit]
    at = timezone.now()
    transitions.move(
        silent, old=State.ONLINE, new=State.OFFLINE, at=at,
        reason=f"It has not been heard from for {settings.OFFLINE_AFTER_S} s.",
    )
    transitions.move(
        back, old=State.OFFLINE, new=State.ONLINE, at=at, reason="It was heard from again."
    )
