"""The figures that history keeps, as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from devices.models import Device, Event, Host
from devices.services import bus, guests_memory, history, traffic
from devices.services.traffic import Traffic
from devices.states import State

MIB = 1 << 20
# a host that has said nothing for so long is not known any more
SILENT_S = 10.0
# where they come online from when they were started, not when they came back
STARTED_FROM = (State.SPAWNING, State.BOOTING)


@dataclass(frozen=True)
class _Seen:
    """What the figures of a moment are told from in the next."""

    at_s: float
    event_id: int
    traffic: Traffic | None


class Sampler:
    """Gathers the fleet's and each host's figures; rates are those since it was asked last.

    What is not known is left out, never zero.
    """

    def __init__(self) -> None:
        self._seen: _Seen | None = None

    def sample(self, at_s: float) -> dict[str, dict[str, float]]:
        """Series → figure → value at Unix time `at_s`; the fleet's series is `history.FLEET`."""
        hosts = list(Host.objects.only("name", "cores").order_by("id"))
        seen = _Seen(at_s, _newest_event(), traffic.read())
        series: dict[str, dict[str, float]] = {host.name: _of_machine(host, at_s) for host in hosts}
        fleet = _together(hosts, [series[host.name] for host in hosts])
        for host in hosts:
            series[host.name] |= {"online": 0, "devices": 0}
        fleet |= {"online": 0, "devices": 0}
        for name, state, count in _counts():
            # a host may have become known since its figures were asked for
            for figures in (fleet, series.setdefault(name, {"online": 0, "devices": 0})):
                figures["devices"] += count
                if state == State.ONLINE:
                    figures["online"] += count
        if self._seen is not None:
            self._add_rates(fleet, series, self._seen, seen)
        self._seen = seen
        return {history.FLEET: fleet, **series}

    @staticmethod
    def _add_rates(
        fleet: dict[str, float], series: dict[str, dict[str, float]], was: _Seen, now: _Seen
    ) -> None:
        seconds = now.at_s - was.at_s
        if seconds <= 0:
            return
        started = _started(was.event_id, now.event_id)
        for name, figures in series.items():
            figures["started_per_s"] = round(started.get(name, 0) / seconds, 3)
        fleet["started_per_s"] = round(sum(started.values()) / seconds, 3)
        if was.traffic is not None and now.traffic is not None:
            rates = traffic.per_s(was.traffic, now.traffic, seconds) or {}
            fleet |= {f"{name}_per_s": round(rate, 2) for name, rate in rates.items()}


def _counts() -> Iterable[tuple[str, str, int]]:
    """Host, state and how many, of all devices that are not gone."""
    there = Device.objects.exclude(state=State.GONE).order_by()
    rows = there.values("host__name", "state").annotate(n=Count("id"))
    return ((row["host__name"], row["state"], row["n"]) for row in rows)


def _newest_event() -> int:
    return Event.objects.order_by("-id").values_list("id", flat=True).first() or 0


def _started(after_id: int, last_id: int) -> dict[str, int]:
    """Host → how many devices came online after a start, by the numbers of their events."""
    events = Event.objects.filter(
        id__gt=after_id, id__lte=last_id, to_state=State.ONLINE, from_state__in=STARTED_FROM
    )
    rows = events.order_by().values("device__host__name").annotate(n=Count("id"))
    return {row["device__host__name"]: row["n"] for row in rows}


def _of_machine(host: Host, at_s: float) -> dict[str, float]:
    """A host's load and memory (MiB) by its newest sample; nothing when that is old."""
    sample = bus.host_sample(host.name)
    if sample is None or at_s - sample["at"] > SILENT_S:
        return {}
    memory, ksm, zram = sample["memory"], sample["ksm"], sample["zram"]
    used = memory["total_bytes"] - memory["available_bytes"]
    guests = guests_memory.guests_bytes(host.name)
    figures: dict[str, float] = {
        "load": sample["load"]["one"],
        "memory_used_mib": used / MIB,
        "memory_guests_mib": min(used, guests) / MIB,
        "memory_free_mib": memory["available_bytes"] / MIB,
        "memory_swapped_mib": (memory["swap_total_bytes"] - memory["swap_free_bytes"]) / MIB,
    }
    if sample["cpu"] is not None:
        figures["busy"] = sample["cpu"]["busy"]
    if zram:
        figures["memory_zram_mib"] = sum(device["used_bytes"] for device in zram) / MIB
    figures |= _of_merging(ksm)
    return {name: round(value, 3) for name, value in figures.items()}


def _of_merging(ksm: Mapping[str, Any] | None) -> dict[str, float]:
    if ksm is None:
        return {}
    profit = ksm["general_profit_bytes"]
    figures = {"memory_saved_mib": ksm["saved_bytes"] / MIB}
    return figures if profit is None else {**figures, "ksm_profit_mib": profit / MIB}


def _together(hosts: Iterable[Host], figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The fleet's figures from its hosts': sums, and of the busy share the mean of all cores."""
    total: dict[str, float] = {}
    cores = 0
    for host, of_host in zip(hosts, figures, strict=True):
        for name, value in of_host.items():
            weight = host.cores if name == "busy" else 1
            total[name] = total.get(name, 0.0) + weight * value
        cores += host.cores if "busy" in of_host else 0
    if cores:
        total["busy"] = total["busy"] / cores
    return {name: round(value, 3) for name, value in total.items()}
