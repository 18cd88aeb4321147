"""How many more devices fit, from what hosts measured of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count

from devices.host.feel import Feel, launch_width
from devices.host.feel import capacity as feel_capacity
from devices.models import Device, Host
from devices.services import bus
from devices.states import STARTING

MIB = 1 << 20
# a mean over fewer guests says little of the next one
ENOUGH_MEASURED = 5


@dataclass(frozen=True, kw_only=True)
class HostCapacity:
    """What one host can take; `fits` is 0 and `waiting` says why when it can take nothing."""

    name: str
    fits: int
    free_mib: int
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


def device_cost_bytes(host_name: str) -> int:
    """Memory of one more device: the mean of those measured, or the setting until there are some.

    The setting is also the least that is assumed, for a young device has not spent all it will.
    """
    measured = [kib for kib in bus.pss(host_name).values() if kib]
    setting = settings.DEVICE_COST_MIB * MIB
    if len(measured) < ENOUGH_MEASURED:
        return setting
    return max(setting, sum(measured) * 1024 // len(measured))


def host_capacity(host: Host, starting: int) -> HostCapacity:
    """What a host can take beside `starting` devices that have yet to spend their memory."""
    sample = bus.host_sample(host.name)
    if sample is None:
        return HostCapacity(
            name=host.name, fits=0, free_mib=0,
            waiting=f"{host.name} has not said how it feels for {bus.LATEST_S} s: its poller "
            "is down (bin/up starts it again)",
        )
    feel = feel_of(sample, host)
    cost = device_cost_bytes(host.name)
    width = launch_width(feel, starting=starting, device_cost_bytes=cost)
    return HostCapacity(
        name=host.name,
        fits=feel_capacity(feel, device_cost_bytes=cost, starting=starting),
        free_mib=feel.free_memory_bytes // MIB,
        waiting=width.reason if width.guests == 0 else "",
    )


def feel_of(sample: dict[str, Any], host: Host) -> Feel:
    """A host's feel from its published sample."""
    return Feel.from_sample(
        sample, cores=host.cores, reserve_bytes=settings.MEMORY_RESERVE_MIB * MIB
    )


def starting_by_host() -> dict[int, int]:
    """How many devices are starting on each host, by the host's id."""
    rows = (
        Device.objects.filter(state__in=STARTING).order_by().values("host_id")
        .annotate(n=Count("id"))
    )
    return {row["host_id"]: row["n"] for row in rows}


def fleet_capacity() -> Capacity:
    """What all hosts together can take now."""
    starting = starting_by_host()
    hosts = tuple(
        host_capacity(host, starting.get(host.id, 0)) for host in Host.objects.order_by("id")
    )
    costs = [device_cost_bytes(host.name) for host in hosts]
    return Capacity(
        fits=sum(host.fits for host in hosts),
        device_cost_mib=max(costs, default=settings.DEVICE_COST_MIB * MIB) // MIB,
        free_mib=sum(host.free_mib for host in hosts),
        reserve_mib=settings.MEMORY_RESERVE_MIB,
        waiting=next((host.waiting for host in hosts if host.waiting), ""),
        hosts=hosts,
    )
