"""What people may set on a machine that runs guests: asking for it, and how it is.

What is asked is written into the host's row; the host's worker, which alone has root, carries it
out (`devices.services.lever_work`) and says what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from devices.errors import BadRequest, Conflict, NotFound, Unavailable
from devices.host import zram_swap
from devices.host.errors import NoZramSwap
from devices.models import Event, Host
from devices.services import bus, dispatch
from devices.services.merging_choice import MODES

EVENTS_SHOWN = 12


class Lever(StrEnum):
    """What can be set."""

    KSM = "ksm"
    ZRAM = "zram"
    SWAPPINESS = "swappiness"


ABOUT = {
    Lever.KSM: "The kernel keeps pages that are equal in several guests once. It costs processor "
    "time to find them.",
    Lever.ZRAM: "A swap in memory: what guests hardly use is kept compressed. It is a net for when "
    "memory gets short, not more room.",
    Lever.SWAPPINESS: "How readily the kernel swaps out what processes hold instead of dropping "
    "files it has read: 60 is usual, 100 treats both alike and suits a swap in memory, 0 swaps "
    "only when nothing else is left.",
}
KSM_CAVEAT = (
    "Merging tells those who share a machine something about each other: writing to a merged page "
    "takes longer, so a guest that measures time can guess whether another holds a page it knows. "
    "Where guests, or other programs whose memory may be merged, must not learn even that, leave "
    "merging off."
)
CHANGES_THE_MACHINE = "This changes the machine, not only fleetdash"


@dataclass(frozen=True, kw_only=True)
class LeverView:
    """A lever of a host as people see it, in plain values (`devices.host.levers.Reading`).

    `asked` is the last wish and what came of it: `wish`, `by`, `asked_at`, `state` (asked, done or
    failed), `problem`, `was` and `now`; None while nobody has asked.
    """

    name: str
    about: str
    present: dict[str, Any] | None
    before: dict[str, Any] | None
    effect: dict[str, Any]
    limits: dict[str, Any]
    refused: str
    asked: dict[str, Any] | None

    @property
    def pending(self) -> bool:
        """Whether the worker has yet to carry out what was asked."""
        return self.asked is not None and self.asked["state"] == "asked"


def host_named(name: str) -> Host:
    """The host of that name; raises NotFound."""
    host = Host.objects.filter(name=name).first()
    if host is None:
        raise NotFound(f"There is no host {name[:63]}.")
    return host


def all_of(host: Host) -> list[LeverView]:
    """The levers of a host as its worker last described them."""
    report = bus.levers(host.name) or {}
    silent = f"The worker of {host.name} has said nothing for {bus.LATEST_S} s: run bin/up there."
    nothing: dict[str, Any] = {
        "present": None, "before": None, "effect": {}, "limits": {}, "refused": silent,
    }
    return [
        LeverView(
            name=str(lever),
            about=ABOUT[lever],
            asked=host.levers.get(lever),
            **(report.get("levers") or {}).get(lever, nothing),
        )
        for lever in Lever
    ]


def events(host: Host) -> list[Event]:
    """What was changed on a host and what befell it as a whole, newest first."""
    found = Event.objects.filter(host=host, device=None).select_related("actor")
    return list(found.order_by("-id")[:EVENTS_SHOWN])


def set_ksm(
    host_name: str,
    mode: str,
    *,
    pages_to_scan: int | None = None,
    sleep_ms: int | None = None,
    actor: AbstractBaseUser | None,
) -> None:
    """Ask for merging to be `auto`, `on` at this pace, `off` or `leave`."""
    if mode not in MODES:
        raise BadRequest(f"KSM is {', '.join(MODES[:-1])} or {MODES[-1]}, not {mode[:40]!r}.")
    wish: dict[str, Any] = {"mode": mode}
    limits = _changeable(host_name, Lever.KSM)
    if mode == "on":
        wish["pages_to_scan"] = _within(limits["pages_to_scan"], pages_to_scan, "pages_to_scan")
        wish["sleep_ms"] = _within(limits["sleep_ms"], sleep_ms, "sleep_ms")
    _ask(host_name, Lever.KSM, wish, actor)


def set_zram(
    host_name: str, size: str, *, algorithm: str = "", actor: AbstractBaseUser | None
) -> None:
    """Ask for a swap of that size (`8G`, `50%`) to be made, or with `off` to be taken away."""
    limits = _changeable(host_name, Lever.ZRAM)
    report = bus.levers(host_name) or {}
    there = bool(report and report["levers"][Lever.ZRAM]["present"]["size_bytes"])
    if size.strip().lower() in ("off", "0"):
        if not there:
            raise Conflict(f"There is no swap in memory on {host_name} to take away.")
        _ask(host_name, Lever.ZRAM, {"size_bytes": 0}, actor)
        return
    if there:
        raise Conflict(
            f"There is a swap in memory on {host_name} already; take it away first to make another."
        )
    try:
        size_bytes = zram_swap.size_bytes(size, limits["size_bytes"][1])
    except NoZramSwap as error:
        raise BadRequest(str(error)) from None
    known = limits["algorithms"]
    if algorithm and known and algorithm not in known:
        raise BadRequest(
            f"{host_name} compresses with {', '.join(known)}, not {algorithm[:40]!r}."
        )
    _ask(host_name, Lever.ZRAM, {"size_bytes": size_bytes, "algorithm": algorithm}, actor)


def set_swappiness(host_name: str, value: int, *, actor: AbstractBaseUser | None) -> None:
    """Ask for that swappiness, 0 to 200."""
    limits = _changeable(host_name, Lever.SWAPPINESS)
    wish = {"value": _within(limits["value"], value, "swappiness")}
    _ask(host_name, Lever.SWAPPINESS, wish, actor)


def forget(host_name: str) -> None:
    """After bin/down: what was set has been put back, and is not set again by the next bin/up."""
    Host.objects.filter(name=host_name).update(levers={})


def _changeable(host_name: str, lever: Lever) -> Mapping[str, Any]:
    """The lever's limits; raises NotFound, Unavailable, or Conflict when it cannot be changed."""
    host_named(host_name)
    report = bus.levers(host_name)
    if report is None:
        raise Unavailable(
            f"The worker of {host_name} has said nothing for {bus.LATEST_S} s: run bin/up there."
        )
    reading = report["levers"][lever]
    if reading["refused"]:
        raise Conflict(f"{lever} cannot be changed on {host_name}: {reading['refused']}")
    limits: Mapping[str, Any] = reading["limits"]
    return limits


def _within(limits: list[int], value: int | None, name: str) -> int:
    least, most = limits
    if value is None or not least <= value <= most:
        shown = "missing" if value is None else f"{value:,}"
        raise BadRequest(f"{name} is a whole number from {least:,} to {most:,}; it is {shown}.")
    return value


def _ask(
    host_name: str, lever: Lever, wish: dict[str, Any], actor: AbstractBaseUser | None
) -> None:
    with transaction.atomic():
        host = Host.objects.select_for_update().get(name=host_name)
        was = host.levers.get(lever) or {}
        host.levers = {
            **host.levers,
            str(lever): {
                "wish": wish,
                "by": actor.get_username() if actor else "",
                "actor": actor.pk if actor else None,
                "asked_at": timezone.now().isoformat(),
                "state": "asked",
                "problem": "",
                # what the worker sets again when it starts, should this wish fail
                "kept": was.get("kept"),
                "was": "",
                "now": "",
            },
        }
        host.save(update_fields=["levers"])
        transaction.on_commit(lambda: dispatch.to_host("set_levers", host_name))
