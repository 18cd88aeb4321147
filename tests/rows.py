"""Rows for tests: the least that a test must say."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from devices.host.guest_memory import GuestCost
from devices.host.guests import since_boot_s
from devices.models import Device, Firmware, Host
from devices.states import State

_numbers = itertools.count(1)


def a_host(name: str = "here", **values: Any) -> Host:
    """A host with two cores and 24 GiB, on which arm64 guests have booted."""
    given = {
        "architecture": "x64",
        "cores": 2,
        "memory_bytes": 24 << 30,
        "accelerators": {"arm64": {"accelerator": "tcg"}},
        **values,
    }
    return Host.objects.create(name=name, **given)


def a_firmware(**values: Any) -> Firmware:
    """An arm64 firmware without an image."""
    number = next(_numbers)
    given = {
        "architecture": "arm64",
        "version": "0.1.0",
        "uuid": str(uuid.uuid4()),
        "sha256": f"{number:064x}",
        "size_bytes": 1,
        "imported_at": timezone.now(),
        **values,
    }
    return Firmware.objects.create(**given)


def a_device(host: Host, *, state: State = State.ONLINE, **values: Any) -> Device:
    """A device on the host, in that state."""
    number = next(_numbers)
    now = timezone.now()
    given = {
        "serial": f"fd-{number:06d}",
        "slot": number,
        "firmware": Firmware.objects.first() or a_firmware(),
        "state_since": now,
        "requested_at": now,
        "secret": "s" * 43,
        **values,
    }
    return Device.objects.create(host=host, state=state, **given)


def a_settled_device(host: Host, **values: Any) -> Device:
    """A device that has been online for an hour."""
    return a_device(host, state_since=timezone.now() - timedelta(hours=1), **values)


def a_cost(mib: int, *, age_s: float = 90.0, ago_s: float = 0.0) -> GuestCost:
    """What was measured of a guest that was so old then; `ago_s` is how long ago."""
    return GuestCost(
        age_s=age_s, measured_at_s=since_boot_s() - ago_s, one_more_kib=mib << 10
    )


def a_sample(*, available_mib: int = 20_000, run_queue: float = 0.0) -> dict[str, Any]:
    """What a poller publishes of a host, as far as launching asks for it."""
    return {
        "at": timezone.now().timestamp(),
        "cpu": {"run_queue": run_queue, "busy": 0.1},
        "memory": {
            "total_bytes": 24 << 30,
            "available_bytes": available_mib << 20,
            "swap_total_bytes": 0,
            "swap_free_bytes": 0,
        },
        "load": {"one": 0.1, "five": 0.1, "fifteen": 0.1, "tasks": 100},
        "psi": None,
        "ksm": None,
        "zram": None,
        "limits": {"tasks_left": 30_000, "open_files": 20_000},
    }
