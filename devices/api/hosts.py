"""Hosts' levers: how they are, and setting them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Path, Router, Schema, Status
from pydantic import ConfigDict, Field

from devices.api.auth import actor
from devices.api.schemas import ProblemOut
from devices.services import levers, seen

router = Router()

HostName = Annotated[str, Path(max_length=63)]
PROBLEMS = {404: ProblemOut, 409: ProblemOut, 422: ProblemOut, 503: ProblemOut}


class AskedOut(Schema):
    """The last wish for a lever and what came of it; `was` and `now` in words."""

    wish: dict[str, Any]
    by: str
    asked_at: datetime
    state: Literal["asked", "done", "failed"]
    problem: str
    was: str
    now: str


class LeverOut(Schema):
    """A lever of a host.

    `present` is its value, `before` what was there before fleetdash changed it (null: unchanged),
    `effect` what it does now, `refused` why it cannot be changed here (empty: it can).
    """

    name: Literal["ksm", "zram", "swappiness"]
    about: str
    present: dict[str, Any] | None
    before: dict[str, Any] | None
    effect: dict[str, Any]
    limits: dict[str, Any]
    refused: str
    pending: bool
    asked: AskedOut | None


class LeversOut(Schema):
    """All levers of a host; `caveat` is for people to read once, empty when you have."""

    host: str
    levers: list[LeverOut]
    caveat: str


class KsmIn(Schema):
    """How equal memory is to be merged; the pace belongs to `on`."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["auto", "on", "off", "leave"]
    pages_to_scan: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    sleep_ms: Annotated[int, Field(strict=True, ge=1, le=60_000)] | None = None


class ZramIn(Schema):
    """The swap that is to be in memory: its size (`8G`, `50%`), or `off` for none."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[str, Field(min_length=1, max_length=20, examples=["50%"])]
    algorithm: Annotated[str, Field(max_length=20)] = ""


class SwappinessIn(Schema):
    """The kernel's swappiness."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[int, Field(strict=True, ge=0, le=200)]


@router.get(
    "/hosts/{name}/levers", response={200: LeversOut, 404: ProblemOut},
    summary="What can be set on a host",
)
def some(request: HttpRequest, name: HostName) -> dict[str, Any]:
    """KSM, swap in compressed memory and swappiness: how they are and what they do."""
    return _levers(request, name)


@router.put(
    "/hosts/{name}/levers/ksm", response={202: LeversOut, **PROBLEMS},
    summary="Set the merging of equal memory",
)
def ksm(request: HttpRequest, name: HostName, wish: KsmIn) -> Status[dict[str, Any]]:
    """Changes the machine. The host's worker carries it out; the lever is `pending` until then."""
    levers.set_ksm(
        name, wish.mode, pages_to_scan=wish.pages_to_scan, sleep_ms=wish.sleep_ms,
        actor=actor(request),
    )
    return Status(202, _levers(request, name))


@router.put(
    "/hosts/{name}/levers/zram", response={202: LeversOut, **PROBLEMS},
    summary="Make a swap in compressed memory, or take it away",
)
def zram(request: HttpRequest, name: HostName, wish: ZramIn) -> Status[dict[str, Any]]:
    """Changes the machine. The host's worker carries it out; the lever is `pending` until then."""
    levers.set_zram(name, wish.size, algorithm=wish.algorithm, actor=actor(request))
    return Status(202, _levers(request, name))


@router.put(
    "/hosts/{name}/levers/swappiness", response={202: LeversOut, **PROBLEMS},
    summary="Set the kernel's swappiness",
)
def swappiness(request: HttpRequest, name: HostName, wish: SwappinessIn) -> Status[dict[str, Any]]:
    """Changes the machine. The host's worker carries it out; the lever is `pending` until then."""
    levers.set_swappiness(name, wish.value, actor=actor(request))
    return Status(202, _levers(request, name))


@router.put(
    "/hosts/caveats/ksm", response={204: None}, summary="Note that you have read KSM's caveat"
)
def read_caveat(request: HttpRequest) -> Status[None]:
    """It is not shown to you again."""
    seen.note_seen(actor(request), seen.KSM_SIDE_CHANNEL)
    return Status(204, None)


def _levers(request: HttpRequest, name: str) -> dict[str, Any]:
    host = levers.host_named(name)
    read = seen.has_seen(actor(request), seen.KSM_SIDE_CHANNEL)
    return {
        "host": host.name,
        "levers": [_lever(each) for each in levers.all_of(host)],
        "caveat": "" if read else levers.KSM_CAVEAT,
    }


def _lever(view: levers.LeverView) -> dict[str, Any]:
    names = LeverOut.model_fields.keys()
    return {name: getattr(view, name) for name in names}
