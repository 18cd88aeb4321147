"""The device list: filters, order and paging, all in the address."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from devices.live import fragments, words
from devices.models import Device
from devices.services import bulk, listing, matching, saved_views
from devices.services.listing import DevicePage, Look
from devices.services.matching import Filter
from devices.views.facets import ages, facets
from devices.views.sentences import is_htmx, says_errors

# title, sort from small to large as it is shown, and the other way round
COLUMNS = (
    ("Serial", "serial", "-serial"),
    ("State", "state", "-state"),
    ("Since", "-state_since", "state_since"),
    ("Age", "age", "-age"),
    ("Host", "host", "-host"),
    ("Firmware", "firmware", "-firmware"),
    ("Slot", "slot", "-slot"),
    ("Start", "start", "-start"),
)
ORDERS = (("-id", "newest first"), ("id", "oldest first")) + tuple(
    (sort, f"{title.lower()} {arrow}")
    for title, *sorts in COLUMNS
    for sort, arrow in zip(sorts, "↑↓", strict=True)
)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


@require_safe
def device_list(request: HttpRequest) -> HttpResponse:
    """A page of devices; a strange parameter falls back to its default."""
    look = Look.parse(request.GET)
    page = listing.devices(look, _whole(request.GET.get("page", "")))
    context = _listing(look, page) | {"session": _session(request)}
    piece = is_htmx(request) and request.headers.get("HX-Target") == "listing"
    if not piece:
        user = cast(AbstractBaseUser, request.user)
        known = listing.choices()
        context |= {
            "facets": facets(look.wanted, known),
            "ages": ages(look.wanted),
            "tags": known.tags,
            "views": saved_views.of(user),
            "live": "parts=cores",
            "here": "devices",
        }
    response = render(request, "devices/listing.html" if piece else "devices/list.html", context)
    response.headers["Vary"] = "HX-Request, HX-Target"
    if piece:
        address = _address(look, page.page)
        shown = request.headers.get("HX-Current-URL", "").endswith(address)
        response.headers["HX-Push-Url"] = "false" if shown else address
    return response


@require_safe
@says_errors
def count(request: HttpRequest) -> HttpResponse:
    """How many an act on all that match would mean now, as plain text."""
    number = bulk.how_many(Filter.parse(request.GET, strict=True))
    return HttpResponse(str(number), content_type="text/plain; charset=utf-8")


def _session(request: HttpRequest) -> str:
    """A word for the session that asks, by which a page knows it again; not the key to it."""
    return salted_hmac("fleetdash.list", request.session.session_key or "").hexdigest()[:16]


def _address(look: Look, page: int = 1) -> str:
    query = look.to_query(page)
    return reverse("devices") + (f"?{query}" if query else "")


def _listing(look: Look, page: DevicePage) -> dict[str, Any]:
    first = (page.page - 1) * page.page_size
    at = page.page
    return {
        "look": look,
        "page": page,
        "rows": [_row(device) for device in page.devices],
        "columns": [_column(look, *column) for column in COLUMNS],
        "orders": ORDERS,
        "sizes": listing.PAGE_SIZES,
        "query": look.wanted.to_query(),
        "address": look.to_query(),
        "first": first + 1 if page.total else 0,
        "last": first + len(page.devices),
        "beginning": _address(look) if at > 1 else "",
        "previous": _address(look, at - 1) if at > 1 else "",
        "next": _address(look, at + 1) if at < page.pages else "",
        "end": _address(look, page.pages) if at < page.pages else "",
        "filtered": look.wanted != matching.EVERY_DEVICE,
    }


def _column(look: Look, title: str, rising: str, falling: str) -> dict[str, str]:
    then = falling if look.sort == rising else rising
    turned = Look(wanted=look.wanted, sort=then, size=look.size)
    sorted_as = {rising: "ascending", falling: "descending"}.get(look.sort, "")
    return {
        "name": title.lower(), "title": title, "address": _address(turned), "sorted": sorted_as,
    }


def _row(device: Device) -> dict[str, Any]:
    now = timezone.now()
    return {
        "device": device,
        # what the socket replaces is drawn by what the socket sends
        "state": "" if device.slot is None else fragments.row_state(device.slot, device.state),
        "since": words.duration((now - device.state_since).total_seconds()),
        "age": words.duration((now - device.requested_at).total_seconds()),
        "start": device.reported_start or device.start,
        "version": device.reported_version or device.firmware.version,
        "reason": device.reason if device.state != "online" else "",
    }
