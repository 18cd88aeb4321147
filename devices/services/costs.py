"""What a device costs in memory: measured, remembered from the last run, or assumed.

Two figures a kind (warm, cold) of each architecture: `settled`, once its memory has merged with
that of its siblings, which says how many fit; and `young`, what it takes before that, which says
how many may start now.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from devices.host.guest_memory import GuestCost
from devices.host.guests import since_boot_s
from devices.models import Device, Host
from devices.services import architectures, bus
from devices.states import State

MIB = 1 << 20
# merging takes about a minute to catch up with a burst
SETTLED_AFTER_S = 60.0
# before that a guest has not even begun to use what it will
YOUNG_AFTER_S = 2.0
# a mean over fewer guests says little of the next one
ENOUGH_MEASURED = 5
# for what a process's mappings do not show: kernel stacks, sockets, KSM's book-keeping
MARGIN = 1.2
# a clone that has just reported has not used all it will; in a woken one merging makes up for that,
# a forked one has little to merge (3.6 MiB, and 6.3 a minute and a half later)
GROWS = {"forked": 2.0}
# less than this is no guest's cost but a fault of measuring
FLOOR_BYTES = 4 * MIB
REMEMBER_EVERY_S = 60.0
REMEMBER_CHANGE = 0.02

Age = Literal["settled", "young"]
Source = Literal["measured", "remembered", "first clone", "assumed"]
# a clone wakes in a qemu of its own, or is forked from one that keeps the template awake
Way = Literal["woken", "forked"]
# a kind and an architecture
Sort = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes one more device takes, settled and young, and where the figure is from.

    `measured` is over how many devices; `settling_bytes` is what the young ones that are there
    will give back once their memory has merged, or, when negative, what they have yet to take.
    """

    settled_bytes: int
    young_bytes: int
    source: Source
    measured: int = 0
    settling_bytes: int = 0

    @property
    def sentence(self) -> str:
        """Where the figure comes from, for people."""
        if self.source == "measured":
            return f"measured on {self.measured:,}"
        if self.source == "remembered":
            return "as measured before"
        if self.source == "first clone":
            return "as the template's first clone took"
        return "assumed until measured"


def _name(what: str, architecture: str) -> str:
    """Under which name figures are kept: those of the usual architecture under the bare one."""
    return what if architecture == architectures.DEFAULT else f"{what}-{architecture}"


def learn(
    host_name: str, guests: Mapping[str, GuestCost], templates: Mapping[str, str]
) -> None:
    """Take in what was measured of a host's guests, by serial; remember it now and then.

    `templates` has the key of the template clones come from now, by architecture. Runs in the
    host's worker. Of a device that reboots, shuts down or does not speak nobody knows how much it
    has written and whether it is a clone still: it says nothing.
    """
    known = Host.objects.filter(name=host_name).values_list("costs", flat=True).first() or {}
    means: dict[Sort, dict[str, list[float]]] = {}
    rows = Device.objects.on(host_name).filter(state__in=(State.BOOTING, State.ONLINE))
    now, now_s = timezone.now(), since_boot_s()
    for serial, state, since, asked, reported, architecture, forked in rows.values_list(
        "serial", "state", "state_since", "start", "reported_start", "firmware__architecture",
        "forked",
    ):
        one = guests.get(serial)
        if one is None:
            continue
        age = _age(one, state, (now - since).total_seconds(), now_s)
        if age is None:
            continue
        # a clone that was rebooted is none any more: the device itself says what it is
        kind = reported or asked
        # and what clones cost that came in another way than the next ones will says nothing of them
        way = known.get(_name("clones", architecture))
        if kind == Device.Start.WARM and way and forked != (way == "forked"):
            continue
        ages = means.setdefault((kind, architecture), {})
        ages.setdefault(age, []).append(one.one_more_kib)
    summary = {
        _name(*sort): {age: [len(kib), sum(kib) / len(kib)] for age, kib in ages.items()}
        for sort, ages in means.items()
    }
    bus.keep_costs(host_name, summary)
    keys: dict[Sort, str | None] = {}
    for architecture in architectures.ALL:
        keys[Device.Start.WARM, architecture] = templates.get(architecture)
        keys[Device.Start.COLD, architecture] = cold_key(architecture)
    if not _news(known, summary, keys):
        return
    with transaction.atomic():
        host = Host.objects.select_for_update().get(name=host_name)
        news = _news(host.costs, summary, keys)
        Host.objects.filter(id=host.id).update(costs={**host.costs, **news})


def _age(one: GuestCost, state: str, in_state_s: float, now_s: float) -> Age | None:
    """Which figure a measurement belongs to; None when it says nothing, or no longer.

    A device is as old as its state, for one that was rebooted has written its memory anew.
    """
    ago_s = now_s - one.measured_at_s
    then_s = min(one.age_s, in_state_s - ago_s)
    if then_s < YOUNG_AFTER_S:
        return None
    if then_s >= SETTLED_AFTER_S:
        return "settled" if state == State.ONLINE else None
    return "young" if then_s + ago_s < SETTLED_AFTER_S else None


def _news(
    known: Mapping[str, Any], summary: Mapping[str, Any], keys: Mapping[Sort, str | None]
) -> dict[str, Any]:
    """What of a summary is worth remembering beside what is known already."""
    now = time.time()
    news: dict[str, Any] = {}
    for sort, key in keys.items():
        ages = summary.get(_name(*sort), {})
        count, settled = ages.get("settled", (0, 0.0))
        young_count, young = ages.get("young", (0, 0.0))
        way = _way(known, *sort)
        if count < ENOUGH_MEASURED or key is None or not way:
            continue
        was = known.get(way, {})
        if was.get("key") != key:
            was = {}
        if was.get("settled_kib") and (
            now - was["at"] < REMEMBER_EVERY_S
            or abs(settled - was["settled_kib"]) <= REMEMBER_CHANGE * was["settled_kib"]
        ):
            continue
        news[way] = {**was, "key": key, "settled_kib": round(settled), "at": now}
        if young_count >= ENOUGH_MEASURED:
            news[way]["young_kib"] = round(young)
    return news


def _way(known: Mapping[str, Any], kind: str, architecture: str) -> str:
    """Where it is remembered what devices of a kind cost: `cold`, or as clones `woken` or `forked`.

    Empty while that is only being tried.
    """
    if kind == Device.Start.COLD:
        return _name(kind, architecture)
    way = known.get(_name("clones", architecture))
    return _name(way, architecture) if way else ""


def clones_are(
    host_name: str,
    key: str,
    way: Way,
    first_clone_kib: int | None = None,
    *,
    settled: bool = True,
    architecture: str = architectures.DEFAULT,
) -> None:
    """Clones come from the template of that key now, and in that way.

    What was remembered of another template is forgotten. `first_clone_kib` is what the clone that
    checked it took. Unless `settled`, it is only tried yet whether there is a better way.
    """
    with transaction.atomic():
        host = Host.objects.select_for_update().filter(name=host_name).first()
        if host is None:
            return
        place = _name(way, architecture)
        was = host.costs.get(place, {})
        kept = was if was.get("key") == key else {"key": key, "at": 0.0}
        if first_clone_kib is not None:
            kept = {**kept, "first_clone_kib": first_clone_kib}
        costs = {**host.costs, place: kept}
        if settled:
            costs[_name("clones", architecture)] = way
        if costs != host.costs:
            Host.objects.filter(id=host.id).update(costs=costs)


def cold_key(architecture: str) -> str | None:
    """What a cold device's cost depends on; None without a firmware."""
    firmware = architectures.newest_firmware(architecture)
    return f"{firmware.sha256}-{settings.DEVICE_MEMORY_MIB}" if firmware else None


def setting_bytes(kind: str) -> int:
    """What a device of a kind is taken to cost where nothing at all is known."""
    warm = kind == Device.Start.WARM
    return (settings.CLONE_COST_MIB if warm else settings.DEVICE_COST_MIB) * MIB


def cost(host: Host, kind: str, architecture: str = architectures.DEFAULT) -> Cost:
    """What one more device of a kind costs on a host."""
    return _cost(host, kind, architecture, bus.costs(host.name))


class Settling(NamedTuple):
    """Bytes that young devices have yet to take (never above 0), and will give back (never below).

    What is given back comes only where memory is being merged.
    """

    yet_to_take: int
    gives_back: int


def settling(host: Host) -> Settling:
    """What all young devices of a host, of whatever sort, will still take and give back."""
    summary = bus.costs(host.name)
    each = [
        _cost(host, kind, architecture, summary).settling_bytes
        for kind in Device.Start
        for architecture in architectures.ALL
        if "young" in summary.get(_name(kind, architecture), {})
    ]
    return Settling(sum(min(0, n) for n in each), sum(max(0, n) for n in each))


def _cost(host: Host, kind: str, architecture: str, summary: Mapping[str, Any]) -> Cost:
    ages = summary.get(_name(kind, architecture), {})
    count, settled_kib = ages.get("settled", (0, 0.0))
    young_count, young_kib = ages.get("young", (0, 0.0))
    known = host.costs.get(_way(host.costs, kind, architecture), {})
    if kind == Device.Start.COLD and known and known.get("key") != cold_key(architecture):
        known = {}
    enough_young = young_count >= ENOUGH_MEASURED
    young = young_kib if enough_young else known.get("young_kib") or 0.0
    source: Source = "assumed"
    measured = 0
    settling = 0.0
    settled = setting_bytes(kind)
    if count >= ENOUGH_MEASURED or known.get("settled_kib"):
        enough = count >= ENOUGH_MEASURED
        source, measured = ("measured", int(count)) if enough else ("remembered", 0)
        mean_kib = settled_kib if enough else known["settled_kib"]
        settled = _safe(mean_kib)
        settling = young_count * (young_kib - mean_kib) if enough_young else 0.0
    elif known.get("first_clone_kib"):
        grows = GROWS.get(host.costs.get(_name("clones", architecture), ""), 1.0)
        source, settled = "first clone", _safe(known["first_clone_kib"] * grows)
    return Cost(
        settled_bytes=settled, young_bytes=max(settled, int(young * 1024)), source=source,
        measured=measured, settling_bytes=int(settling * 1024),
    )


def _safe(kib: float) -> int:
    return max(FLOOR_BYTES, int(kib * 1024 * MARGIN))
