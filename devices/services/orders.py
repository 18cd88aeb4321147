"""Orders to devices on their way to the gateway, and what the gateway says of them.

Like all that goes through Redis it may be lost: who gives an order looks whether it was taken.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Any, Literal, get_args

import redis

from devices.services import bus

log = logging.getLogger(__name__)

Order = Literal["reboot", "shutdown"]

CHANNEL = "fleet:orders"
TAKEN = "fleet:orders-taken"
TAKEN_KEPT_S = 600


def give(order: Order, serials: Sequence[str]) -> None:
    """Have the gateways push an order to devices."""
    if not serials:
        return
    try:
        bus.client().publish(CHANNEL, json.dumps({"order": order, "serials": list(serials)}))
    except redis.RedisError as error:
        log.warning("%s of %d devices is lost: %s", order, len(serials), error)


def read(message: bytes) -> tuple[Order, list[str]]:
    """The order and the serials of a message; raises ValueError for one that is none."""
    said = json.loads(message)
    if not isinstance(said, dict) or said.get("order") not in get_args(Order):
        raise ValueError(f"{message[:80]!r} is no order")
    return said["order"], [str(serial) for serial in said.get("serials", ())]


def note_taken(serials: Sequence[str]) -> None:
    """Note that these devices were handed their newest order just now."""
    if not serials:
        return
    try:
        pipe = bus.client().pipeline(transaction=False)
        pipe.zadd(TAKEN, dict.fromkeys(serials, time.time()))
        pipe.expire(TAKEN, TAKEN_KEPT_S)
        pipe.execute()
    except redis.RedisError as error:
        log.warning("%d orders were taken, and nobody knows: %s", len(serials), error)


def taken(serials: Sequence[str]) -> dict[str, float]:
    """When devices were last handed an order (Unix time), of those that were lately.

    Raises redis.RedisError when Redis is away.
    """
    if not serials:
        return {}
    scores = bus.client().zmscore(TAKEN, list(serials))
    return {s: float(at) for s, at in zip(serials, scores, strict=True) if at is not None}


def _held_key(host: str) -> str:
    return f"fleet:reboots-held:{host}"


def keep_held(host: str, sentence: str) -> None:
    """Keep why devices of a host wait to be rebooted, as the end of "it …"; empty for none."""
    try:
        if sentence:
            bus.client().set(_held_key(host), sentence, ex=bus.HELD_S)
        else:
            bus.client().delete(_held_key(host))
    except redis.RedisError as error:
        log.warning("why reboots wait is not said: %s", error)


def held(hosts: Sequence[str]) -> dict[str, str]:
    """Why devices wait to be rebooted, of those hosts on which some do."""
    if not hosts:
        return {}
    try:
        found: list[Any] = bus.client().mget([_held_key(host) for host in hosts])
    except redis.RedisError:
        return {}
    return {h: said.decode() for h, said in zip(hosts, found, strict=True) if said}
