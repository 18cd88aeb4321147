"""The fleet in one answer."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from devices.models import Device, Firmware, Host
from devices.services import architectures, bus, capacity, deaths, operations
from devices.services.progress import OperationView
from devices.states import State

# those that say so when they make progress
PROCESSES = ("worker", "poller", "control", "gateway")
# operations in a summary, where fewer are running
NEWEST = 5


def counts() -> dict[str, int]:
    """How many devices are in each state, zeros included; one query."""
    found = dict.fromkeys((str(state) for state in State), 0)
    for row in Device.objects.order_by().values("state").annotate(n=Count("id")):
        found[row["state"]] = row["n"]
    return found


def summary() -> dict[str, Any]:
    """Counts, hosts with their newest sample, operations (running ones first), firmware in use."""
    by_state = counts()
    newest = firmwares()
    fleet = capacity.fleet_capacity()
    return {
        "counts": by_state,
        "online": by_state[State.ONLINE],
        "total": sum(by_state.values()) - by_state[State.GONE],
        "fits": fleet.fits,
        "capacity": fleet.to_json(),
        "notices": [notice.to_json() for notice in deaths.notices()],
        "hosts": hosts(),
        "operations": [o.to_json() for o in _operations()],
        # of the devices one gets without saying of which architecture
        "firmware": newest[0] if newest else None,
        "firmwares": newest,
    }


def _operations() -> list[OperationView]:
    """All that run, newest first, and up to five with the newest of those that have ended."""
    running = operations.running()
    known = {each.id for each in running}
    newest = operations.recent(NEWEST) if len(running) < NEWEST else []
    others = [each for each in newest if each.id not in known]
    return running + others[: max(0, NEWEST - len(running))]


def firmwares() -> list[dict[str, Any]]:
    """What new devices run, of each architecture that they can be of; the usual one first."""
    newest = (architectures.newest_firmware(each) for each in architectures.with_firmware())
    return [_firmware(each) for each in newest if each is not None]


def _firmware(firmware: Firmware) -> dict[str, Any]:
    return {
        "architecture": firmware.architecture,
        "version": firmware.version,
        "uuid": firmware.uuid,
        "sha256": firmware.sha256,
    }


def hosts() -> list[dict[str, Any]]:
    """Every host: what it is, its newest sample, what its processes say."""
    return [host(each) for each in Host.objects.order_by("id")]


def host(row: Host) -> dict[str, Any]:
    """One host: what it is, its newest sample, what its worker says."""
    return {
        "name": row.name,
        "architecture": row.architecture,
        "cores": row.cores,
        "memory_bytes": row.memory_bytes,
        "kernel_release": row.kernel_release,
        "accelerators": row.accelerators,
        "missing_protections": row.missing_protections,
        "processes": bus.making_progress(PROCESSES, row.name),
        "sample": bus.host_sample(row.name),
        "template": bus.template_status(row.name),
        "templates": {each: bus.template_status(row.name, each) for each in architectures.ALL},
        "merging": bus.merging_status(row.name),
        "shortcomings": bus.shortcomings(row.name),
    }
