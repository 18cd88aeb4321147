"""The wall: the fleet for a screen that nobody touches."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from devices.live import panels
from devices.services import summary, tokens
from devices.views.sentences import sentence

PARTS = "parts=counts,capacity,hosts,watched,cores,wall"
COOKIE_S = 400 * 24 * 3600  # as long as browsers keep one; each visit by the link renews it
VIEWS = (("fleet", "Fleet"), ("devices", "Devices"), ("cores", "Cores"), ("work", "Operations"))
NO_LONGER = (
    "This link does not open the wall: it was revoked, has expired, or is not whole. "
    "Who is logged in makes a new one on the page of tokens."
)


@login_not_required
@never_cache
@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    """The fleet without a button, for who is logged in or comes with a wall's link.

    The link's key is taken out of the address at once and kept in a cookie that no script reads.
    """
    if "key" in request.GET:
        return _admit(request, request.GET["key"])
    guest, kiosk = not request.user.is_authenticated, "kiosk" in request.GET
    if guest:
        key = request.COOKIES.get(settings.WALL_COOKIE_NAME)
        if not key:
            return redirect_to_login(request.get_full_path())
        if tokens.wall(key) is None:
            return sentence(request, NO_LONGER, 403)
    hosts = summary.hosts()
    samples = {host["name"]: host["sample"] for host in hosts}
    context = {
        "counts": panels.counts(),
        "capacity_html": render_to_string("live/capacity.html", panels.capacity()),
        "stats": panels.hosts(samples, 0.0),
        "notices": panels.notices()["notices"],
        "operations": panels.recent_operations()["operations"],
        "cores": sum(host["cores"] for host in hosts),
        "live": PARTS,
        "views": VIEWS,
        "kiosk": kiosk,
        "guest": guest,
        "opens": "" if kiosk or guest else "/devices/at/",
    }
    return render(request, "wall.html", context)


def _admit(request: HttpRequest, key: str) -> HttpResponse:
    if tokens.wall(key) is None:
        return sentence(request, NO_LONGER, 403)
    rest = request.GET.copy()
    del rest["key"]
    # "kiosk" has no value, and keeps none
    query = rest.urlencode().replace("kiosk=&", "kiosk&").removesuffix("=")
    response = redirect(request.path + (f"?{query}" if query else ""))
    response.set_cookie(
        settings.WALL_COOKIE_NAME, key, max_age=COOKIE_S, httponly=True, samesite="Lax"
    )
    return response
