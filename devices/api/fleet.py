"""The fleet as a whole: its summary, its hosts, what fits, what it runs."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Status

from devices.api.auth import actor
from devices.api.schemas import (
    CapacityOut,
    FirmwaresOut,
    HostOut,
    HostsOut,
    ProblemOut,
    SummaryOut,
)
from devices.errors import NotFound
from devices.models import Device
from devices.services import capacity as capacities
from devices.services import firmware as images
from devices.services import forgetting
from devices.services import summary as service

router = Router()


@router.get("/summary", response=SummaryOut, summary="The fleet in one answer")
def summary(request: HttpRequest) -> dict[str, Any]:
    """Counts by state, hosts with their newest sample, operations, the firmware.

    Of operations, all that run and then the newest.
    """
    return service.summary()


@router.get("/capacity", response=CapacityOut, summary="How many devices fit")
def capacity(
    request: HttpRequest,
    start: Device.Start = Device.Start.WARM,
    architecture: Literal["arm64", "x64"] = "arm64",
) -> dict[str, Any]:
    """How many more devices fit that are started so, what one costs, and what is free."""
    return capacities.fleet_capacity(start, architecture).to_json()


@router.get("/hosts", response=HostsOut, summary="All hosts")
def hosts(request: HttpRequest) -> dict[str, Any]:
    """The machines that run guests: what they are, how they feel, what they can accelerate."""
    return {"hosts": service.hosts()}


@router.get("/hosts/{name}", response={200: HostOut, 404: ProblemOut}, summary="One host")
def host(request: HttpRequest, name: str) -> dict[str, Any]:
    """One machine that runs guests."""
    for each in service.hosts():
        if each["name"] == name:
            return each
    raise NotFound(f"There is no host {name[:40]}.")


@router.delete(
    "/hosts/{name}", response={204: None, 404: ProblemOut, 409: ProblemOut, 503: ProblemOut},
    summary="Forget a host that is out of use",
)
def forget_host(request: HttpRequest, name: str) -> Status[None]:
    """For a machine that was renamed or will not come back: without devices, and silent.

    What is kept of it, of its history and its devices that are gone, is deleted.
    """
    forgetting.forget(name, actor(request))
    return Status(204, None)


@router.get("/firmware", response=FirmwaresOut, summary="All firmware")
def firmware(request: HttpRequest) -> dict[str, Any]:
    """The firmware that was imported, newest first."""
    return {"firmware": images.in_use()}
