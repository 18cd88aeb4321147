"""How many more devices fit, from what hosts measured of themselves and of their devices.

What is free above the reserve, shared out at what a device costs once its memory has merged. More
than that is refused; that a device costs more until then is launching's business (`room`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db.models import Count

from devices.host.feel import capacity as feel_capacity
from devices.host.limits import Limits
from devices.models import Device, Firmware, Host
from devices.services import architectures, bus, costs
from devices.services.costs import Cost, Sort
from devices.services.room import feel_of, is_merging
from devices.states import LIVING, STARTING, State

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class HostCapacity:
    """What one host can take; `fits` is 0 and `waiting` says why when it can take nothing.

    `limit` is what keeps more from fitting where that is not memory. `unable` hosts cannot run such
    devices at all.
    """

    name: str
    devices: int
    fits: int
    free_bytes: int
    cost: Cost
    waiting: str
    limit: str = ""
    unable: bool = False


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the fleet can take: `devices` are there, `fits` more do."""

    devices: int
    fits: int
    free_bytes: int
    reserve_bytes: int
    device_cost_bytes: int
    cost_source: str
    waiting: str
    limit: str = ""
    hosts: tuple[HostCapacity, ...] = ()

    @property
    def most(self) -> int:
        """How many devices there can be in all."""
        return self.devices + self.fits

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the API."""
        return {
            "devices": self.devices,
            "fits": self.fits,
            "most": self.most,
            "free_bytes": self.free_bytes,
            "reserve_bytes": self.reserve_bytes,
            "device_cost_bytes": self.device_cost_bytes,
            "cost_source": self.cost_source,
            "waiting": self.waiting,
        }


def usual_kind(host_name: str, architecture: str = architectures.DEFAULT) -> str:
    """How devices start on a host now: as clones, unless their template could not be made."""
    template = bus.template_status(host_name, architecture)
    if template is None or template["state"] == "failed":
        return Device.Start.COLD
    return Device.Start.WARM


def host_capacity(
    host: Host,
    devices: int,
    starting: Mapping[Sort, int],
    kind: str,
    held: str = "",
    *,
    architecture: str = architectures.DEFAULT,
) -> HostCapacity:
    """What a host can take beside those `starting` that have yet to spend their memory.

    `devices` are there, `kind` is how the new ones are to start (WARM means cold where there is no
    template), and `held` is what holds launching back.
    """
    as_it_is = {each: _as_it_is(host, *each) for each in {(kind, architecture), *starting}}
    by_sort = {each: costs.cost(host, *each) for each in set(as_it_is.values())}
    cost = by_sort[as_it_is[kind, architecture]]
    if not architectures.runs(host, architecture):
        return HostCapacity(
            name=host.name, devices=devices, fits=0, free_bytes=0, cost=cost,
            waiting=f"no {architecture} guest has booted on {host.name}", unable=True,
        )
    sample = bus.host_sample(host.name)
    if sample is None:
        return HostCapacity(
            name=host.name, devices=devices, fits=0, free_bytes=0, cost=cost,
            waiting=f"{host.name} has not said how it feels for {bus.LATEST_S} s: its poller "
            "is down (bin/up starts it again)",
        )
    feel = feel_of(sample, host)
    promised = sum(n * by_sort[as_it_is[each]].settled_bytes for each, n in starting.items())
    settling = costs.settling(host)
    expected = feel.free_memory_bytes - promised + settling.yet_to_take
    if settling.gives_back and is_merging(sample):
        expected += settling.gives_back
    fits = feel_capacity(
        replace(feel, free_memory_bytes=expected), device_cost_bytes=cost.settled_bytes
    )
    waiting = f"launching {held}" if held else ""
    begun = sum(starting.values())
    allowed, limit = Limits(**sample["limits"]).more_guests(there=devices - begun, starting=begun)
    if allowed < fits:
        fits, waiting = allowed, waiting or limit
    else:
        limit = ""
    if not fits and not waiting:
        waiting = (
            f"{feel.free_memory_bytes / MIB:,.0f} MiB are free and "
            f"{feel.reserve_bytes / MIB:,.0f} MiB are kept in reserve"
            + (f", {promised / MIB:,.0f} MiB are for those starting" if promised else "")
        )
    return HostCapacity(
        name=host.name, devices=devices, fits=fits, free_bytes=feel.free_memory_bytes,
        cost=cost, waiting=waiting, limit=limit,
    )


def _as_it_is(host: Host, kind: str, architecture: str) -> Sort:
    """What was asked to start warm starts cold where there is no template."""
    if kind == Device.Start.WARM:
        kind = usual_kind(host.name, architecture)
    return str(kind), architecture


def devices_by_host() -> dict[int, tuple[int, dict[Sort, int]]]:
    """How many devices each host runs, by its id, and how many of which sort start.

    One that is off takes neither memory nor a process. A clone that reboots is no clone any more.
    """
    found: dict[int, tuple[int, dict[Sort, int]]] = {}
    of = dict(Firmware.objects.order_by().values_list("id", "architecture"))
    rows = Device.objects.filter(state__in=LIVING).exclude(state=State.OFF).order_by()
    groups = rows.values("host_id", "state", "start", "reported_start", "firmware_id")
    for row in groups.annotate(n=Count("id")):
        there, starting = found.get(row["host_id"], (0, {}))
        kind = row["start"] if row["state"] in STARTING else None
        if row["state"] == State.REBOOTING and row["reported_start"] == Device.Start.WARM:
            kind = Device.Start.COLD
        if kind is not None:
            sort = str(kind), of[row["firmware_id"]]
            starting[sort] = starting.get(sort, 0) + row["n"]
        found[row["host_id"]] = there + row["n"], starting
    return found


def fleet_capacity(
    kind: str = Device.Start.WARM, architecture: str = architectures.DEFAULT
) -> Capacity:
    """What all hosts together can take now, of devices that are to start as `kind`."""
    there = devices_by_host()
    rows = list(Host.objects.order_by("id"))
    held = bus.held([host.name for host in rows])
    hosts = tuple(
        host_capacity(
            host, *there.get(host.id, (0, {})), kind, held.get(host.name, ""),
            architecture=architecture,
        )
        for host in rows
    )
    able = [host for host in hosts if not host.unable] or hosts
    dearest = max(able, key=lambda host: host.cost.settled_bytes, default=None)
    return Capacity(
        devices=sum(host.devices for host in hosts),
        fits=sum(host.fits for host in hosts),
        free_bytes=sum(host.free_bytes for host in hosts),
        reserve_bytes=settings.MEMORY_RESERVE_MIB * MIB,
        device_cost_bytes=dearest.cost.settled_bytes if dearest else 0,
        cost_source=dearest.cost.sentence if dearest else "",
        waiting=next((host.waiting for host in able if host.waiting), ""),
        limit=next((host.limit for host in able if host.limit), ""),
        hosts=hosts,
    )
