"""How many more devices fit, from what hosts measured of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db.models import Count

from devices.host.feel import Feel, launch_width
from devices.host.feel import capacity as feel_capacity
from devices.models import Device, Host
from devices.services import bus
from devices.states import STARTING, WITH_PROCESS

MIB = 1 << 20
# a mean over fewer guests says little of the next one
ENOUGH_MEASURED = 5


@dataclass(frozen=True, kw_only=True)
class HostCapacity:
    """What one host can take; `fits` is 0 and `waiting` says why when it can take nothing."""

    name: str
    fits: int
    free_mib: int
    device_cost_mib: int
    waiting: str


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the fleet can take."""

    fits: int
    device_cost_mib: int
    free_mib: int
    reserve_mib: int
    waiting: str
    hosts: tuple[HostCapacity, ...] = ()


def setting_bytes(kind: str) -> int:
    """What a device of a kind is taken to cost until enough of them are measured."""
    warm = kind == Device.Start.WARM
    return (settings.CLONE_COST_MIB if warm else settings.DEVICE_COST_MIB) * MIB


def device_cost_bytes(host_name: str, kind: str) -> int:
    """Memory of one more device of a kind: the mean of those measured, or the setting.

    The setting is also the least that is assumed, for a young device has not spent all it will.
    """
    kib = bus.pss(host_name)
    alike = Device.objects.on(host_name).filter(start=kind, state__in=WITH_PROCESS)
    measured = [kib[s] for s in alike.values_list("serial", flat=True) if kib.get(s)]
    if len(measured) < ENOUGH_MEASURED:
        return setting_bytes(kind)
    return max(setting_bytes(kind), sum(measured) * 1024 // len(measured))


def usual_kind(host_name: str) -> str:
    """How devices start on a host now: as clones, unless its template could not be made."""
    template = bus.template_status(host_name)
    if template is None or template["state"] == "failed":
        return Device.Start.COLD
    return Device.Start.WARM


def host_capacity(host: Host, starting: Mapping[str, int], kind: str) -> HostCapacity:
    """What a host can take beside those `starting` (by kind) that have yet to spend their memory.

    `kind` is how the new ones are to start; WARM means cold where there is no template.
    """
    sample = bus.host_sample(host.name)
    if sample is None:
        return HostCapacity(
            name=host.name, fits=0, free_mib=0, device_cost_mib=setting_bytes(kind) // MIB,
            waiting=f"{host.name} has not said how it feels for {bus.LATEST_S} s: its poller "
            "is down (bin/up starts it again)",
        )
    # what was asked to start warm starts cold where there is no template
    as_it_is = {Device.Start.WARM: usual_kind(host.name), Device.Start.COLD: Device.Start.COLD}
    feel = feel_of(sample, host)
    cost = device_cost_bytes(host.name, as_it_is[Device.Start(kind)])
    promised = sum(
        n * setting_bytes(as_it_is[Device.Start(each)]) for each, n in starting.items()
    )
    width = launch_width(feel, starting=sum(starting.values()), device_cost_bytes=cost)
    return HostCapacity(
        name=host.name,
        fits=feel_capacity(
            replace(feel, free_memory_bytes=feel.free_memory_bytes - promised),
            device_cost_bytes=cost,
        ),
        free_mib=feel.free_memory_bytes // MIB,
        device_cost_mib=cost // MIB,
        waiting=width.reason if width.guests == 0 else "",
    )


def feel_of(sample: dict[str, Any], host: Host) -> Feel:
    """A host's feel from its published sample."""
    return Feel.from_sample(
        sample, cores=host.cores, reserve_bytes=settings.MEMORY_RESERVE_MIB * MIB
    )


def starting_by_host() -> dict[int, dict[str, int]]:
    """How many devices are starting on each host, by the host's id and by kind."""
    found: dict[int, dict[str, int]] = {}
    rows = Device.objects.filter(state__in=STARTING).order_by().values("host_id", "start")
    for row in rows.annotate(n=Count("id")):
        found.setdefault(row["host_id"], {})[row["start"]] = row["n"]
    return found


def fleet_capacity(kind: str = Device.Start.WARM) -> Capacity:
    """What all hosts together can take now, of devices that are to start as `kind`."""
    starting = starting_by_host()
    hosts = tuple(
        host_capacity(host, starting.get(host.id, {}), kind) for host in Host.objects.order_by("id")
    )
    return Capacity(
        fits=sum(host.fits for host in hosts),
        device_cost_mib=max((host.device_cost_mib for host in hosts), default=0),
        free_mib=sum(host.free_mib for host in hosts),
        reserve_mib=settings.MEMORY_RESERVE_MIB,
        waiting=next((host.waiting for host in hosts if host.waiting), ""),
        hosts=hosts,
    )
