"""The device list: search, state, paging, all in the address."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from devices.services import listing
from devices.states import State
from devices.views.sentences import is_htmx

PAGE_SIZES = (25, 50, 100)


def _whole(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else default


@require_safe
def device_list(request: HttpRequest) -> HttpResponse:
    """A page of devices; a strange parameter falls back to its default."""
    query = request.GET
    size = _whole(query.get("size", ""), 50)
    size = size if size in PAGE_SIZES else 50
    state = query.get("state", "")
    state = state if state in set(State) else ""
    search = query.get("q", "")[:100]
    sort = query.get("sort", "-id")
    sort = sort if sort in listing.SORTS else "-id"
    page = listing.devices(
        search=search, state=state, page=_whole(query.get("page", ""), 1), page_size=size,
        sort=sort,
    )
    kept = {"q": search, "state": state, "size": str(size), "sort": sort}
    defaults = {"q": "", "state": "", "size": "50", "sort": "-id"}

    def address(number: int) -> str:
        shown = {k: v for k, v in kept.items() if v != defaults[k]}
        if number > 1:
            shown["page"] = str(number)
        return "?" + urlencode(shown)

    context = {
        "page": page,
        "search": search,
        "state": state,
        "sort": sort,
        "size": size,
        "sizes": PAGE_SIZES,
        "states": [str(s) for s in State],
        "first": (page.page - 1) * page.page_size + 1 if page.total else 0,
        "last": (page.page - 1) * page.page_size + len(page.devices),
        "previous": address(page.page - 1) if page.page > 1 else "",
        "next": address(page.page + 1) if page.page < page.pages else "",
        "filtered": bool(search or state),
        "live": "parts=cores",
        "here": "devices",
    }
    partial = is_htmx(request) and request.headers.get("HX-Target") == "listing"
    response = render(request, "devices/listing.html" if partial else "devices/list.html", context)
    response.headers["Vary"] = "HX-Request, HX-Target"
    return response
