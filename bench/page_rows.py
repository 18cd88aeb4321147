"""Rows as a fleet of some weeks has them, in a database of its own, for `bin/bench pages --rows`.

    python -m bench.page_rows DEVICES

Migrates, fills, collects the page's files, and prints how to get in and what to look at.
"""

from __future__ import annotations

import json
import random
import secrets
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from devices.models import Device, Operation

SEED = 20
DAYS = 30
HOSTS = ("alpha", "beta", "gamma")
VERSIONS = ("0.1.0", "0.2.0")
# of a hundred devices; besides them one is gone for ten that are not
STATES = {"online": 90, "offline": 3, "off": 3, "failed": 2, "booting": 2}
TAGS = {"lab": 0.3, "berlin": 0.2, "show": 0.05, "rack-1": 0.1, "rack-2": 0.1, "old": 0.4}
ARGUMENTS, ARGUMENT_CHARACTERS = 70, 38  # as long as a real command line
EVENTS = 5
OPERATIONS = 60
OF_AN_OPERATION = 12  # each is about one device in so many
BATCH = 1000


def main() -> None:
    """Fill the database and print JSON: the admin's password, and a device's serial."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from fleetdash.deploy import static_files

    static_files.collect(settings.STATIC_ROOT)
    call_command("migrate", interactive=False, verbosity=0)
    password = secrets.token_urlsafe(9)
    user = User.objects.create_user("admin", password=password)
    print(json.dumps({"password": password, "serial": fill(int(sys.argv[1]), user.pk)}))


def fill(count: int, actor_id: int) -> str:
    """Make so many devices and what belongs to them; gives the serial of one with a long past."""
    from django.utils import timezone

    chance, now = random.Random(SEED), timezone.now()
    devices = _devices(count, chance, now)
    _tags(devices, chance)
    _events(devices)
    _operations(devices, actor_id, chance, now)
    return devices[len(devices) // 2].serial


def _devices(count: int, chance: random.Random, now: datetime) -> list[Device]:
    from devices.models import Device, Firmware, Host

    hosts = [
        Host.objects.create(
            name=name, architecture="x64", cores=64, memory_bytes=256 << 30,
            accelerators={"arm64": {"accelerator": "tcg"}},
        )
        for name in HOSTS
    ]
    firmwares = [
        Firmware.objects.create(
            architecture="arm64", version=version, uuid=str(uuid.UUID(int=n)),
            sha256=f"{n:064x}", size_bytes=1, imported_at=now,
        )
        for n, version in enumerate(VERSIONS)
    ]  # fmt: skip

    def one(number: int) -> Device:
        gone = number % 11 == 10
        state = "gone" if gone else chance.choices(list(STATES), list(STATES.values()))[0]
        asked = now - timedelta(days=DAYS * (1 - number / (1.1 * count)))
        firmware = chance.choice(firmwares)
        return Device(
            serial=f"fd-{number + 1:06d}", slot=None if gone else number,
            host=chance.choice(hosts), firmware=firmware, start=chance.choice(("warm", "cold")),
            state=state, state_since=asked + (now - asked) * chance.random(),
            reason="" if state == "online" else f"it did what it did, number {number}",
            secret=secrets.token_urlsafe(32), requested_at=asked, spawned_at=asked, online_at=asked,
            command_line=[f"{n:0{ARGUMENT_CHARACTERS}d}" for n in range(ARGUMENTS)],
            reported_version=firmware.version, reported_slot=chance.choice("ab"),
            reported_start=chance.choice(("warm", "cold")),
        )

    return Device.objects.bulk_create(map(one, range(count + count // 10)), batch_size=BATCH)


def _tags(devices: list[Device], chance: random.Random) -> None:
    from devices.models import Tag

    Tag.objects.bulk_create(
        (
            Tag(device=device, name=name)
            for device in devices
            for name, share in TAGS.items()
            if chance.random() < share
        ),
        batch_size=BATCH,
    )


def _events(devices: list[Device]) -> None:
    from devices.models import Event

    words = ("requested", "spawning", "booting", "online", "offline")

    def of(device: Device) -> Iterator[Event]:
        many = 40 * EVENTS if device is devices[len(devices) // 2] else EVENTS
        for n in range(many):
            yield Event(
                at=device.requested_at + timedelta(seconds=n), device=device, host=device.host,
                from_state=words[(n - 1) % 5], to_state=words[n % 5], text="it reported in",
            )

    Event.objects.bulk_create((e for d in devices for e in of(d)), batch_size=BATCH)


def _operations(devices: list[Device], actor_id: int, chance: random.Random, now: datetime) -> None:
    from devices.models import Operation, Target

    made: list[tuple[Operation, list[Device]]] = []
    for number in range(OPERATIONS):
        begun = now - timedelta(hours=OPERATIONS - number)
        some = chance.sample(devices, len(devices) // OF_AN_OPERATION)
        operation = Operation.objects.create(
            kind=chance.choice(("add", "reboot", "shut_down", "power_on", "tag")),
            state=chance.choice(("succeeded", "partly")), count=len(some), actor_id=actor_id,
            created_at=begun, ended_at=begun + timedelta(seconds=90),
        )  # fmt: skip
        made.append((operation, some))
    Target.objects.bulk_create(
        (
            Target(
                operation=operation, device=device, outcome="done" if n % 50 else "failed",
                reason="" if n % 50 else "It was off.",
                ended_at=operation.created_at + timedelta(seconds=n % 90),
            )
            for operation, some in made
            for n, device in enumerate(some)
        ),
        batch_size=BATCH,
    )


if __name__ == "__main__":
    main()
