"""The fleet as a whole: its summary, its hosts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from devices.api.schemas import HostsOut, SummaryOut
from devices.services import summary as service

router = Router()


@router.get("/summary", response=SummaryOut, summary="The fleet in one answer")
def summary(request: HttpRequest) -> dict[str, Any]:
    """Counts by state, hosts with their newest sample, the newest operations, the firmware."""
    return service.summary()


@router.get("/hosts", response=HostsOut, summary="All hosts")
def hosts(request: HttpRequest) -> dict[str, Any]:
    """The machines that run guests: what they are, how they feel, what they can accelerate."""
    return {"hosts": service.summary()["hosts"]}
