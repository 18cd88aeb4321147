"""Rows for tests: the least that a test must say."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from django.utils import timezone

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
