"""The fleet in one answer."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from devices.models import Device, Firmware, Host
from devices.services import bus, capacity, deaths, operations
from devices.states import State

# those that say so when they make progress
PROCESSES = ("worker", "poller", "control")


def counts() -> dict[str, int]:
    """How many devices are in each state, zeros included; one query."""
    found = dict.fromkeys((str(state) for state in State), 0)
    for row in Device.objects.order_by().values("state").annotate(n=Count("id")):
        found[row["state"]] = row["n"]
    return found


def summary() -> dict[str, Any]:
    """Counts, hosts with their newest sample, recent operations, the firmware in use."""
    by_state = counts()
    firmware = Firmware.objects.first()
    fleet = capacity.fleet_capacity()
    return {
        "counts": by_state,
        "online": by_state[State.ONLINE],
        "total": sum(by_state.values()) - by_state[State.GONE],
        "fits": fleet.fits,
        "capacity": fleet.to_json(),
        "notices": [notice.to_json() for notice in deaths.notices()],
        "hosts": [_host(host) for host in Host.objects.order_by("id")],
        "operations": [o.to_json() for o in operations.recent(5)],
        "firmware": firmware
        and {
            "architecture": firmware.architecture,
            "version": firmware.version,
            "uuid": firmware.uuid,
            "sha256": firmware.sha256,
        },
    }


def _host(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "architecture": host.architecture,
        "cores": host.cores,
        "memory_bytes": host.memory_bytes,
        "kernel_release": host.kernel_release,
        "accelerators": host.accelerators,
        "missing_protections": host.missing_protections,
        "processes": bus.making_progress(PROCESSES, host.name),
        "sample": bus.host_sample(host.name),
        "template": bus.template_status(host.name),
        "merging": bus.merging_status(host.name),
        "shortcomings": bus.shortcomings(host.name),
    }
