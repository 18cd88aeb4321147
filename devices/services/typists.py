"""Who types on which console: one person at a time, seen by all who watch, kept as events.

While somebody types, Redis holds who (`fleet:typist:<serial>`, also a channel) and what was typed;
keys go to the host's worker on `fleet:keys:<host>`. The end is written as events of the device, by
whoever notices it first: the page that typed, one who takes over, or a round that looks for pages
that vanished.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from devices.errors import Conflict, Unavailable
from devices.models import Event
from devices.services import bus, listing, typed_text
from devices.states import WITH_PROCESS, State

log = logging.getLogger(__name__)

TYPABLE = frozenset(WITH_PROCESS) - {State.STOPPING}
MOST_TYPED_BYTES = 16 << 10
_TYPED_KEPT_S = 24 * 3600
# so much later than its own page a session is ended by the round
_GRACE_S = 60
_PIECE_CHARACTERS = 400
_SESSIONS = "fleet:typing"

_WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'bytes', #ARGV[2])
local text = redis.call('HGET', KEYS[3], 'text') or ''
local room = tonumber(ARGV[5]) - #text
if room > 0 then
  redis.call('HSET', KEYS[3], 'text', text .. string.sub(ARGV[2], 1, room))
end
redis.call('EXPIRE', KEYS[3], ARGV[6])
return redis.call('PUBLISH', ARGV[7], ARGV[8])
"""
_END = """
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return false end
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', KEYS[1], '')
end
local bytes = redis.call('HGET', KEYS[3], 'bytes') or '0'
local text = redis.call('HGET', KEYS[3], 'text') or ''
redis.call('DEL', KEYS[3])
return {bytes, text}
"""


@dataclass(frozen=True, kw_only=True)
class Typist:
    """Somebody's right to type on a console; `by` is the page that asked, known to that page."""

    serial: str
    host: str
    device_id: int
    user: str
    user_id: int
    by: str
    since: float
    token: str

    def encode(self) -> str:
        """As Redis keeps it."""
        return json.dumps(asdict(self), sort_keys=True)


def channel(serial: str) -> str:
    """Channel and key of who types on a device's console: a Typist's JSON, or nothing."""
    return f"fleet:typist:{serial}"


def keys_channel(host: str) -> str:
    """Channel on which a host's worker hears what is typed: serial, line feed, bytes."""
    return f"fleet:keys:{host}"


def current(serial: str) -> Typist | None:
    """Who types on a device's console; raises redis.RedisError."""
    return decode(bus.client().get(channel(serial)))


def decode(said: Any) -> Typist | None:
    """The typist of a channel's message; None for an empty one."""
    return Typist(**json.loads(said)) if said else None


def begin(serial: str, *, user: AbstractBaseUser, by: str) -> Typist:
    """Let somebody type; who typed until now is told by the channel that it is over.

    Raises NotFound, Conflict when the device has nothing that could be typed to, Unavailable.
    """
    device = listing.device(serial)
    if device.state not in TYPABLE:
        state = device.state.replace("_", " ")
        raise Conflict(f"{serial} is {state}: nothing there reads what you type.")
    now = time.time()
    typist = Typist(
        serial=serial, host=device.host.name, device_id=device.pk, user=user.get_username(),
        user_id=user.pk, by=by, since=round(now, 3), token=secrets.token_urlsafe(16),
    )
    value = typist.encode()
    try:
        if (before := current(serial)) is not None:
            end(before, f"{typist.user} took over")
        pipe = bus.client().pipeline()
        pipe.zadd(_SESSIONS, {value: now})
        pipe.set(channel(serial), value, ex=settings.CONSOLE_IDLE_S + _GRACE_S)
        pipe.publish(channel(serial), value)
        pipe.execute()
    except redis.RedisError as error:
        raise Unavailable(
            "Redis does not answer, so nobody can type now. Try again in some seconds."
        ) from error
    _remark(typist, ["Typing on the console began."])
    return typist


def write(typist: Typist, keys: bytes) -> int:
    """Send keys to the device; gives how many workers heard them, -1 when somebody else types.

    Raises Unavailable.
    """
    value = typist.encode()
    try:
        return int(
            _scripts(bus.client())[0](
                keys=[channel(typist.serial), _SESSIONS, _typed_key(typist)],
                args=[
                    value, keys, settings.CONSOLE_IDLE_S + _GRACE_S, time.time(),
                    MOST_TYPED_BYTES, _TYPED_KEPT_S, keys_channel(typist.host),
                    typist.serial.encode() + b"\n" + keys,
                ],
            )
        )
    except redis.RedisError as error:
        raise Unavailable("Redis does not answer: what you typed just now is lost.") from error


def end(typist: Typist, why: str) -> bool:
    """End somebody's typing and keep what was typed; False when it had ended already."""
    try:
        typed = _scripts(bus.client())[1](
            keys=[channel(typist.serial), _SESSIONS, _typed_key(typist)], args=[typist.encode()]
        )
    except redis.RedisError as error:
        log.warning("The end of typing on %s is noticed later: %s", typist.serial, error)
        return False
    if typed is None:
        return False
    count, text = int(typed[0]), typed_text.as_text(typed[1])
    if count > len(typed[1]):
        text += " … (only the beginning is kept)"
    first, *more = typed_text.pieces(text, _PIECE_CHARACTERS)
    size = "1 byte" if count == 1 else f"{count} bytes"
    after_s = max(0, round(time.time() - typist.since))
    said = f"Typing on the console ended after {after_s} s ({why}): {size}"
    texts = [f"{said}: “{first}”." if first else f"{said}."]
    texts += [f"Typed on the console, continued: “{part}”." for part in more]
    _remark(typist, texts)
    return True


def end_abandoned() -> None:
    """End what nobody typed in for so long that its page must have vanished."""
    before = time.time() - settings.CONSOLE_IDLE_S - _GRACE_S
    try:
        found: list[Any] = list(bus.client().zrangebyscore(_SESSIONS, "-inf", before))
    except redis.RedisError:
        return
    for said in found:
        typist = decode(said)
        if typist is not None:
            end(typist, "its page has vanished")


def _typed_key(typist: Typist) -> str:
    return f"fleet:typed:{typist.token}"


def _remark(typist: Typist, texts: list[str]) -> None:
    now = timezone.now()
    try:
        with transaction.atomic():
            Event.objects.bulk_create(
                Event(at=now, device_id=typist.device_id, actor_id=typist.user_id, text=text)
                for text in texts
            )
    except IntegrityError:
        log.warning("%s typed on %s, which is no longer known", typist.user, typist.serial)


@lru_cache(maxsize=1)
def _scripts(client: redis.Redis) -> tuple[Any, Any]:
    return client.register_script(_WRITE), client.register_script(_END)
