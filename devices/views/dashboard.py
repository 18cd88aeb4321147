"""The dashboard: the whole fleet at a glance."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from devices.live import panels
from devices.services import summary
from devices.views import hosts

BUTTONS = (1, 10, 100, 1000)


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything the live socket will replace is there at once, rendered by the same partials."""
    fleet = summary.summary()
    samples = {host["name"]: host["sample"] for host in fleet["hosts"]}
    context = {
        "counts": panels.counts(),
        "capacity_html": render_to_string("live/capacity.html", panels.capacity()),
        "notices": panels.notices()["notices"],
        "stats": panels.hosts(samples, 0.0),
        "operations": panels.recent_operations()["operations"],
        "cores": sum(host["cores"] for host in fleet["hosts"]),
        "machines": [hosts.machine(host) for host in fleet["hosts"]],
        "firmwares": fleet["firmwares"],
        "buttons": BUTTONS,
        "live": "parts=counts,capacity,hosts,operations,cores,wall",
        "here": "fleet",
    }
    return render(request, "dashboard.html", context)
