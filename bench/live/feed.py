"""Plays poller and services for a made-up fleet, until it is ended.

    python -m bench.live.feed --devices N --cores N [--moving SHARE] [--loads random|wandering]

Everything goes through `devices.services.bus` and the database, as it does in a fleet.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import Any

import django
import redis

from bench.live.made_up import MadeUpFleet

CORES_HZ = 4
PUBLISHED = "bench:cores-published"  # key: how many frames of cores have been published
MOVES_HZ = 5  # how often transitions, gathered, reach the database


def main() -> None:
    """Feed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--moving", type=float, default=0.01, help="share of devices a second")
    parser.add_argument("--loads", choices=("random", "wandering"), default="random")
    given = parser.parse_args()
    django.setup()
    fleet = MadeUpFleet(given.devices, given.cores)
    _feed(fleet, given.moving, fleet.random_loads if given.loads == "random"
          else fleet.wandering_loads)  # fmt: skip


def _feed(fleet: MadeUpFleet, moving: float, loads: Any) -> None:
    from django.conf import settings

    from devices.services import bus

    host, beat, due_moves = settings.HOST_NAME, 0, 0.0
    next_beat = next_moves = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= next_beat:
            next_beat = max(next_beat + 1 / CORES_HZ, now)
            busy = fleet.busy()
            bus.publish_cores(host, time.time(), busy)
            with contextlib.suppress(redis.RedisError):
                bus.client().incr(PUBLISHED)
            if beat % CORES_HZ == 0:
                at = time.time()
                bus.publish_host_sample(host, _sample(fleet, at))
                bus.publish_guests_sample(host, at, loads())
            beat += 1
        if now >= next_moves:
            next_moves = max(next_moves + 1 / MOVES_HZ, now)
            due_moves += fleet.devices * moving / MOVES_HZ
            _move(fleet, int(due_moves))
            due_moves %= 1
        time.sleep(max(0.0, min(next_beat, next_moves) - time.monotonic()))


def _move(fleet: MadeUpFleet, count: int) -> None:
    from django.utils import timezone

    from devices.models import Device
    from devices.services import bus

    moved = fleet.move(count)
    if not moved:
        return
    now = timezone.now()
    for state in set(moved.values()):
        slots = [slot for slot, new in moved.items() if new == state]
        Device.objects.filter(slot__in=slots).update(state=state, state_since=now)
    bus.publish_changes(list(moved.items()))


def _sample(fleet: MadeUpFleet, at: float) -> dict[str, Any]:
    busy = sum(fleet.busy()) / 255
    total = 1024 << 30
    return {
        "at": at, "uptime_s": 86400.0, "psi": None,
        "cpu": {"online": fleet.cores, "run_queue": busy, "busy": busy / fleet.cores},
        "load": {"one": busy, "five": busy * 0.9, "fifteen": busy * 0.8, "tasks": 4000},
        "memory": {
            "total_bytes": total,
            "available_bytes": total - fleet.devices * (18 << 20),
            "swap_total_bytes": 0,
            "swap_free_bytes": 0,
        },
        "ksm": {
            "run": 1, "pages_sharing": fleet.devices * 2000, "pages_shared": fleet.devices * 40,
            "full_scans": int(at) % 10_000, "saved_bytes": fleet.devices * 8_192_000,
            "general_profit_bytes": fleet.devices * 8_000_000,
        },
        "zram": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()
