"""A host's page: what the machine is, how it feels, what can be set on it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from devices.errors import BadRequest, NotFound
from devices.live import panels
from devices.models import Host
from devices.services import bus, forgetting, guests_memory, levers, seen, summary
from devices.services.levers import Lever
from devices.views import hosts
from devices.views.lever_panels import panel
from devices.views.sentences import is_htmx, says_errors, toast

DIGITS = 9


@require_safe
def host_list(request: HttpRequest) -> HttpResponse:
    """All hosts; where there is but one, its page."""
    found = list(Host.objects.order_by("id"))
    if len(found) == 1:
        return redirect("host", found[0].name)
    machines = [hosts.machine(summary.host(each)) for each in found]
    return render(request, "hosts/list.html", {"machines": machines, "here": "hosts"})


@require_safe
@says_errors
def host_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one host."""
    host = levers.host_named(name)
    context = {
        **_now(host),
        "m": hosts.machine(summary.host(host)),
        "caveat": "" if seen.has_seen(_user(request), seen.KSM_SIDE_CHANNEL) else levers.KSM_CAVEAT,
        "changes_the_machine": levers.CHANGES_THE_MACHINE,
        "silent": forgetting.is_silent(name),
        "live": "parts=cores",
        "here": "hosts",
    }
    return render(request, "hosts/host.html", context)


@require_safe
@says_errors
def host_now(request: HttpRequest, name: str) -> HttpResponse:
    """What moves on that page, for the page to replace."""
    context = {**_now(levers.host_named(name)), "changes_the_machine": levers.CHANGES_THE_MACHINE}
    return render(request, "hosts/now.html", context)


@require_POST
@says_errors
def set_lever(request: HttpRequest, name: str, lever: str) -> HttpResponse:
    """Ask the host's worker to set a lever."""
    given, actor = request.POST, _user(request)
    if lever == Lever.KSM:
        fixed = given.get("mode") == "on"
        levers.set_ksm(
            name, given.get("mode", ""),
            pages_to_scan=_whole(given.get("pages_to_scan", "")) if fixed else None,
            sleep_ms=_whole(given.get("sleep_ms", "")) if fixed else None,
            actor=actor,
        )
    elif lever == Lever.ZRAM:
        levers.set_zram(
            name, given.get("size", ""), algorithm=given.get("algorithm", ""), actor=actor
        )
    elif lever == Lever.SWAPPINESS:
        levers.set_swappiness(name, _whole(given.get("value", "")), actor=actor)
    else:
        raise NotFound(f"There is no lever {lever[:40]}.")
    if not is_htmx(request):
        return redirect("host", name)
    return toast(request, f"Asked {name} to set {lever}.", kind="done")


@require_POST
@says_errors
def forget(request: HttpRequest, name: str) -> HttpResponse:
    """Forget a host that is out of use."""
    forgetting.forget(name, _user(request))
    if not is_htmx(request):
        return redirect("hosts")
    return HttpResponse(headers={"HX-Redirect": reverse("hosts")})


@require_POST
def put_away_caveat(request: HttpRequest) -> HttpResponse:
    """The caveat was read: it is not shown to this person again."""
    seen.note_seen(_user(request), seen.KSM_SIDE_CHANNEL)
    return HttpResponse("")


def _user(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


def _whole(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= DIGITS:
        return int(text)
    raise BadRequest(f"{text[:40] or 'Nothing'} is not a whole number.")


def _now(host: Host) -> dict[str, Any]:
    sample, merging = bus.host_sample(host.name), bus.merging_status(host.name)
    feels = panels.host(host.name, sample, merging, guests_memory.guests_bytes(host.name))
    return {
        "host": host,
        "cards": feels["cards"],
        "levers": [panel(host.name, view, merging) for view in levers.all_of(host)],
        "events": levers.events(host),
    }
