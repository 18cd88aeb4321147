"""Plays poller and services for a made-up fleet, until it is ended.

    python -m bench.live.feed --devices N --cores N [--moving SHARE] [--loads random|wandering]
                              [--replay RECORDING]

Everything goes through `devices.services.bus` and the database, as it does in a fleet.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import django
import redis

from bench.live import recording
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
    parser.add_argument("--replay", type=Path, help="a recording instead, again and again")
    given = parser.parse_args()
    django.setup()
    if given.replay:
        _replay(given.replay)
    fleet = MadeUpFleet(given.devices, given.cores)
    _feed(fleet, given.moving, fleet.random_loads if given.loads == "random"
          else fleet.wandering_loads)  # fmt: skip


def _feed(fleet: MadeUpFleet, moving: float, loads: Any) -> None:
    from django.conf import settings

    from devices.services import bus

    host, beat, due_moves = settings.HOST_NAME, 0, 0.0
    made_up_host = MadeUpHost()
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
                bus.publish_host_sample(host, made_up_host.sample(fleet))
                bus.publish_guests_sample(host, at, loads())
            beat += 1
        if now >= next_moves:
            next_moves = max(next_moves + 1 / MOVES_HZ, now)
            due_moves += fleet.devices * moving / MOVES_HZ
            _move(fleet, int(due_moves))
            due_moves %= 1
        time.sleep(max(0.0, min(next_beat, next_moves) - time.monotonic()))


def _replay(file: Path) -> None:
    from devices.services import bus

    while True:
        _set(recording.states(file))
        began = time.monotonic()
        for each in recording.said(file):
            time.sleep(max(0.0, began + each.after_s - time.monotonic()))
            with contextlib.suppress(redis.RedisError):
                bus.client().publish(each.channel, recording.as_of(each, time.time()))
                if each.channel.startswith(recording.CORES):
                    bus.client().incr(PUBLISHED)
            if each.channel == recording.CHANGES:
                _write(dict(json.loads(each.message)["devices"]))


def _set(states: dict[int, str]) -> None:
    """Everything as it stood when the recording began."""
    from devices.models import Device
    from devices.services import bus
    from devices.states import State

    slots = Device.objects.values_list("slot", flat=True)
    begun = {slot: states.get(slot, str(State.GONE)) for slot in slots if slot is not None}
    _write(begun)
    bus.publish_changes(list(begun.items()))


def _move(fleet: MadeUpFleet, count: int) -> None:
    from devices.services import bus

    moved = fleet.move(count)
    if moved:
        _write(moved)
        bus.publish_changes(list(moved.items()))


def _write(moved: dict[int, str]) -> None:
    """Have the database say so too, for the counts."""
    from django.utils import timezone

    from devices.models import Device

    now = timezone.now()
    for state in set(moved.values()):
        slots = [slot for slot, new in moved.items() if new == state]
        Device.objects.filter(slot__in=slots).update(state=state, state_since=now)


class MadeUpHost:
    """The samples of this machine, with the cores, the load and the memory of a larger one."""

    def __init__(self) -> None:
        from devices.host.cpu import CoreSampler
        from devices.host.sample import HostSampler

        self._cores = CoreSampler()
        self._host = HostSampler()

    def sample(self, fleet: MadeUpFleet) -> dict[str, Any]:
        """What a poller would publish."""
        made: dict[str, Any] = self._host.sample([self._cores.sample()]).to_json()
        busy, total = sum(fleet.busy()) / 255, 1 << 40
        running = fleet.running()
        made["cpu"] |= {"online": fleet.cores, "run_queue": busy, "busy": busy / fleet.cores}
        made["load"] |= {"one": busy, "five": busy * 0.9, "fifteen": busy * 0.8}
        made["memory"] |= {
            "total_bytes": total, "available_bytes": total - len(running) * (18 << 20),
        }  # fmt: skip
        made["limits"] |= {"tasks_left": 1 << 20, "open_files": 1 << 20}
        return made


if __name__ == "__main__":
    main()
