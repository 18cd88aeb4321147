"""What is said between the processes through Redis: names, shapes, publishing.

Publishing is synchronous; it never raises for a Redis that is away, for the database is the truth
and whoever listens again asks it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import redis
from django.conf import settings

from devices.host.architecture import ARM64

log = logging.getLogger(__name__)

CHANGES = "fleet:changes"
REVOKED = "fleet:revoked"
PRESENCE = "fleet:presence"
HEALTH = "fleet:health"
TRAFFIC = "fleet:traffic"
LATEST_S = 30
HEARTBEAT_S = 15
# the process whose heartbeat says that devices can be heard
GATEWAY = "gateway"
COSTS_S = 60
# rounds come every five seconds at least
HELD_S = 15
CONSOLE_BYTES = 64 * 1024
CONSOLE_KEPT_S = 24 * 3600


def cores_channel(host: str) -> str:
    """Channel and key of a host's core samples."""
    return f"fleet:cores:{host}"


def host_channel(host: str) -> str:
    """Channel and key of a host's 1 Hz sample."""
    return f"fleet:host:{host}"


def guests_sample_channel(host: str) -> str:
    """Channel and key of a host's per-guest sample."""
    return f"fleet:guests-sample:{host}"


def guests_channel(host: str) -> str:
    """Channel on which the worker tells the poller of guests started and ended."""
    return f"fleet:guests:{host}"


def pss_key(host: str) -> str:
    """Key of the exact memory of guests, serial → KiB."""
    return f"fleet:pss:{host}"


def console_channel(serial: str) -> str:
    """Channel and key of a device's console output."""
    return f"fleet:console:{serial}"


def health_ring_key(serial: str) -> str:
    """Key of the list of a device's last health reports (`devices.services.health`)."""
    return f"fleet:health:{serial}"


def heartbeat_key(process: str, host: str) -> str:
    """Key that exists while a process makes progress."""
    return f"fleet:heartbeat:{process}:{host}"


@cache
def client() -> redis.Redis:
    """This process's connection pool to Redis; answers are bytes."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30
    )


_away = threading.Event()


@contextlib.contextmanager
def tolerant(what: str) -> Iterator[None]:
    """Go on without Redis; its going and its coming back are each logged once."""
    try:
        yield
    except redis.RedisError as error:
        if not _away.is_set():
            log.warning("Redis is away (%s): %s", what, error)
            _away.set()
    else:
        if _away.is_set():
            log.warning("Redis answers again (%s)", what)
            _away.clear()


def _latest(channel: str, message: bytes) -> None:
    with tolerant(channel):
        pipe = client().pipeline(transaction=False)
        pipe.set(channel, message, ex=LATEST_S)
        pipe.publish(channel, message)
        pipe.execute()


def publish_changes(
    devices: Sequence[tuple[int, str]] = (), operations: Iterable[int] = ()
) -> None:
    """Say which slots are now in which state, and which operations moved; after the commit."""
    message = json.dumps(
        {"at": time.time(), "devices": list(devices), "operations": sorted(set(operations))}
    )
    with tolerant(CHANGES):
        client().publish(CHANGES, message)


def publish_revoked(admissions: Sequence[str]) -> None:
    """Say that admissions (`devices.live.access`) hold no more: who watches by them is cut off."""
    with tolerant(REVOKED):
        client().publish(REVOKED, json.dumps(list(admissions)))


def publish_cores(host: str, at: float, busy: bytes) -> None:
    """Say how busy each core is: one byte a core, 0–255, at Unix time `at`."""
    _latest(cores_channel(host), struct.pack("<d", at) + busy)


def unpack_cores(message: bytes) -> tuple[float, bytes]:
    """The time and the bytes of `publish_cores`."""
    return struct.unpack_from("<d", message)[0], message[8:]


def publish_host_sample(host: str, sample: dict[str, Any]) -> None:
    """Say how the host feels (`devices.host.sample`)."""
    _latest(host_channel(host), json.dumps(sample).encode())


def host_sample(host: str) -> dict[str, Any] | None:
    """The newest sample of a host, or None when it has said nothing for 30 s."""
    with tolerant("host sample"):
        message = client().get(host_channel(host))
        return json.loads(message) if isinstance(message, bytes) else None
    return None


def publish_guests_sample(host: str, at: float, rows: Sequence[Sequence[int | None]]) -> None:
    """Say what each guest uses: rows of slot, CPU per mille, RSS KiB, PSS KiB or null."""
    message = json.dumps({"at": at, "guests": rows}, separators=(",", ":")).encode()
    _latest(guests_sample_channel(host), message)


def guests_sample(host: str) -> list[list[int | None]]:
    """What each guest of a host used lately, as published; empty after 30 s of silence."""
    with tolerant("guests sample"):
        message = client().get(guests_sample_channel(host))
        return json.loads(message)["guests"] if isinstance(message, bytes) else []
    return []


def publish_pss(host: str, kib: dict[str, int]) -> None:
    """Keep the exact memory of guests (serial → KiB) for the poller to merge."""
    with tolerant("exact memory"):
        client().set(pss_key(host), json.dumps(kib), ex=600)


def pss(host: str) -> dict[str, int]:
    """The last known exact memory of guests, serial → KiB."""
    with tolerant("exact memory"):
        message = client().get(pss_key(host))
        return json.loads(message) if isinstance(message, bytes) else {}
    return {}


def costs_key(host: str) -> str:
    """Key of what devices of a host were measured to cost."""
    return f"fleet:costs:{host}"


def keep_costs(host: str, summary: dict[str, Any]) -> None:
    """Keep means of what was measured: kind → age → [count, KiB] (`devices.services.costs`)."""
    with tolerant("costs"):
        client().set(costs_key(host), json.dumps(summary), ex=COSTS_S)


def costs(host: str) -> dict[str, Any]:
    """What devices of a host were measured to cost; empty when nothing was for a minute."""
    with tolerant("costs"):
        message = client().get(costs_key(host))
        return json.loads(message) if isinstance(message, bytes) else {}
    return {}


def held_key(host: str) -> str:
    """Key of why launching is held back on a host."""
    return f"fleet:held:{host}"


def keep_held(host: str, sentence: str) -> None:
    """Keep why launching is held back on a host, for those who watch; empty when it is not."""
    with tolerant("held"):
        if sentence:
            client().set(held_key(host), sentence, ex=HELD_S)
        else:
            client().delete(held_key(host))


def held(hosts: Sequence[str]) -> dict[str, str]:
    """Why launching is held back, of those hosts on which it is."""
    if not hosts:
        return {}
    with tolerant("held"):
        found: list[Any] = client().mget([held_key(host) for host in hosts])
        return {h: said.decode() for h, said in zip(hosts, found, strict=True) if said}
    return {}


def publish_guests(
    host: str, *, started: Sequence[Sequence[Any]] = (), ended: Sequence[str] = ()
) -> None:
    """Tell the poller of guests: started rows are serial, slot, boot id, pid, start time."""
    with tolerant("guests"):
        client().publish(guests_channel(host), json.dumps({"started": started, "ended": ended}))


def template_key(host: str, architecture: str = ARM64) -> str:
    """Key of the last word of a host about its template for devices of an architecture."""
    return f"fleet:template:{host}" + ("" if architecture == ARM64 else f":{architecture}")


def keep_template_status(host: str, status: dict[str, Any], architecture: str = ARM64) -> None:
    """Keep what a host says of its template, and have the page look again."""
    with tolerant("template"):
        client().set(template_key(host, architecture), json.dumps(status))
    publish_changes()


def forget_template_status(host: str, architecture: str) -> None:
    """Say nothing of a host's template any more, and have the page look again."""
    with tolerant("template"):
        client().delete(template_key(host, architecture))
    publish_changes()


def template_status(host: str, architecture: str = ARM64) -> dict[str, Any] | None:
    """What a host last said of its template, or None."""
    with tolerant("template"):
        message = client().get(template_key(host, architecture))
        return json.loads(message) if isinstance(message, bytes) else None
    return None


def shortcomings_key(host: str) -> str:
    """Key of what a host lacks."""
    return f"fleet:shortcomings:{host}"


def keep_shortcomings(host: str, sentences: Sequence[str]) -> None:
    """Keep what a host says that it lacks."""
    with tolerant("shortcomings"):
        client().set(shortcomings_key(host), json.dumps(list(sentences)))


def shortcomings(host: str) -> list[str]:
    """What a host last said that it lacks."""
    with tolerant("shortcomings"):
        message = client().get(shortcomings_key(host))
        return json.loads(message) if isinstance(message, bytes) else []
    return []


def merging_key(host: str) -> str:
    """Key of the last word of a host about merging equal memory."""
    return f"fleet:merging:{host}"


def keep_merging_status(host: str, status: dict[str, Any]) -> None:
    """Keep what a host says of merging equal memory."""
    with tolerant("merging"):
        client().set(merging_key(host), json.dumps(status))


def merging_status(host: str) -> dict[str, Any] | None:
    """What a host last said of merging equal memory, or None."""
    with tolerant("merging"):
        message = client().get(merging_key(host))
        return json.loads(message) if isinstance(message, bytes) else None
    return None


def levers_key(host: str) -> str:
    """Key of how a host's levers are."""
    return f"fleet:levers:{host}"


def keep_levers(host: str, report: dict[str, Any]) -> None:
    """Keep how a host's levers are (`devices.services.lever_work`)."""
    with tolerant("levers"):
        client().set(levers_key(host), json.dumps(report), ex=LATEST_S)


def levers(host: str) -> dict[str, Any] | None:
    """How a host's levers are, or None when its worker has said nothing for 30 s."""
    with tolerant("levers"):
        message = client().get(levers_key(host))
        return json.loads(message) if isinstance(message, bytes) else None
    return None


def append_console(chunks: dict[str, bytes]) -> None:
    """Append output to devices' consoles, keeping the last 64 KiB of each, and publish it."""
    with tolerant("console"):
        pipe = client().pipeline(transaction=False)
        for serial, chunk in chunks.items():
            pipe.append(console_channel(serial), chunk[-CONSOLE_BYTES:])
            pipe.expire(console_channel(serial), CONSOLE_KEPT_S)
            pipe.publish(console_channel(serial), chunk[-CONSOLE_BYTES:])
        lengths = pipe.execute()[::3]
        pipe = client().pipeline(transaction=False)
        for serial, length in zip(chunks, lengths, strict=True):
            name = console_channel(serial)
            if length > CONSOLE_BYTES + CONSOLE_BYTES // 2:
                tail = client().getrange(name, -CONSOLE_BYTES, -1)
                pipe.set(name, tail, ex=CONSOLE_KEPT_S)
        pipe.execute()


def console(serial: str) -> bytes:
    """The last 64 KiB of a device's console output; empty when there is none."""
    with tolerant("console"):
        output = client().getrange(console_channel(serial), -CONSOLE_BYTES, -1)
        return output if isinstance(output, bytes) else b""
    return b""


def heartbeat(process: str, host: str) -> None:
    """Say that a process makes progress."""
    with tolerant("heartbeat"):
        client().set(heartbeat_key(process, host), str(time.time()), ex=HEARTBEAT_S)


def making_progress(processes: Sequence[str], host: str) -> dict[str, bool]:
    """Which of these processes of a host made progress lately; none while Redis is away."""
    with tolerant("heartbeat"):
        beats: list[Any] = list(client().mget([heartbeat_key(p, host) for p in processes]))
        return {p: beat is not None for p, beat in zip(processes, beats, strict=True)}
    return dict.fromkeys(processes, False)


def heard_from(serials: Sequence[str], at: float) -> None:
    """Note that devices were heard from just now; who was forgotten is remembered again.

    Ask the database afterwards whether they may be, and forget those that may not: asked before,
    they might be forgotten in between. `devices.services.presence.renew` needs no such care.
    """
    if serials:
        with tolerant("presence"):
            client().zadd(PRESENCE, dict.fromkeys(serials, at))


def last_heard(serials: Sequence[str]) -> dict[str, float]:
    """When devices were last heard from (Unix time); those never heard from are left out.

    Raises redis.RedisError when Redis is away: silence of Redis is no silence of a device.
    """
    if not serials:
        return {}
    scores = client().zmscore(PRESENCE, list(serials))
    return {s: float(at) for s, at in zip(serials, scores, strict=True) if at is not None}


def forget(serials: Sequence[str]) -> None:
    """Forget presence and health of devices that are gone."""
    if serials:
        with tolerant("presence"):
            pipe = client().pipeline()
            pipe.zrem(PRESENCE, *serials)
            pipe.hdel(HEALTH, *serials)
            pipe.unlink(*map(health_ring_key, serials))
            pipe.execute()


def remembered() -> set[str]:
    """The serials of all devices whose presence or health is kept; none while Redis is away."""
    with tolerant("presence"):
        found: list[Any] = [*client().zrange(PRESENCE, 0, -1), *client().hkeys(HEALTH)]
        return {serial.decode(errors="replace") for serial in found}
    return set()
