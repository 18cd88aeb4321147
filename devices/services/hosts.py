"""Machines that run guests, as they described themselves."""

from __future__ import annotations

from typing import Any

from devices.host.inventory import Inventory
from devices.models import Host


def register(
    *,
    name: str,
    inventory: Inventory,
    accelerators: dict[str, Any],
    missing_protections: list[str],
) -> Host:
    """Make a host known, or write down what it has become."""
    host, _ = Host.objects.update_or_create(
        name=name,
        defaults={
            "architecture": inventory.architecture,
            "cores": inventory.cores,
            "memory_bytes": inventory.memory_bytes,
            "kernel_release": inventory.kernel,
            "boot_id": inventory.boot_id,
            "accelerators": accelerators,
            "missing_protections": missing_protections,
        },
    )
    return host


def names() -> list[str]:
    """The names of all hosts, in their order."""
    return list(Host.objects.order_by("name").values_list("name", flat=True))
