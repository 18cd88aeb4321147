"""Devices that stopped reporting, and those heard from again.

Only the time counts in which somebody listened: after a pause of ours, of Redis or of the machine
each device has the whole time anew to connect again.
"""

from __future__ import annotations

import time

import redis
from django.conf import settings
from django.utils import timezone

from devices.models import Device
from devices.services import bus, reporting, transitions
from devices.services.unbroken import Unbroken
from devices.states import State

# rounds come every 10 s
GAP_S = 30.0

_rounds = Unbroken(GAP_S)


def notice_silence() -> None:
    """Move online devices not heard from to offline, and offline ones heard from to online.

    While Redis is away nothing is known and nothing is moved; a device without a time (Redis lost
    it) starts a new grace. One that is offline for another reason than its silence has to say
    something after that.
    """
    now = time.time()
    online = dict(Device.objects.filter(state=State.ONLINE).values_list("serial", "id"))
    offline = {
        serial: (id_, since.timestamp())
        for serial, id_, since in Device.objects.filter(state=State.OFFLINE).values_list(
            "serial", "id", "state_since"
        )
    }
    try:
        heard = bus.last_heard([*online, *offline])
    except redis.RedisError:
        _rounds.broken()
        return
    listening_since = _rounds.since(now)
    reporting.remember([serial for serial in online if serial not in heard], now)
    limit = now - settings.OFFLINE_AFTER_S
    silent = [
        id_ for serial, id_ in online.items()
        if max(heard.get(serial, now), listening_since) < limit
    ]
    back = [
        id_ for serial, (id_, since) in offline.items()
        if heard.get(serial, 0.0) > max(limit, since)
    ]
    at = timezone.now()
    transitions.move(
        silent, old=State.ONLINE, new=State.OFFLINE, at=at,
        reason=f"It has not been heard from for {settings.OFFLINE_AFTER_S} s.",
    )
    transitions.move(
        back, old=State.OFFLINE, new=State.ONLINE, at=at, reason="It was heard from again."
    )
