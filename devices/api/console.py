"""A device's console output, as text."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from devices.api.description import ANSWERS_WITH
from devices.api.devices import Serial
from devices.api.schemas import ProblemOut
from devices.services import bus, listing

router = Router()


@router.get(
    "/devices/{serial}/console",
    response={200: str, 404: ProblemOut},
    summary="What a device printed",
    openapi_extra={ANSWERS_WITH: "text/plain"},
)
def console(request: HttpRequest, serial: Serial) -> HttpResponse:
    """The last 64 KiB the device printed on its serial console, as it printed them."""
    device = listing.device(serial)
    text = bus.console(device.serial).decode("utf-8", "replace")
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
