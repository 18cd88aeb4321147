"""The dashboard: the whole fleet at a glance."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from devices.live import panels
from devices.services import summary
from devices.views.hosts import machine

BUTTONS = (1, 10, 100, 1000)


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything the live socket will replace is there at once, rendered by the same partials."""
    hosts = summary.hosts()
    samples = {host["name"]: host["sample"] for host in hosts}
    context = {
        "counts": panels.counts(),
        "capacity_html": render_to_string("live/capacity.html", panels.capacity()),
        "notices": panels.notices()["notices"],
        "stats": panels.hosts(samples, 0.0),
        "operations": panels.recent_operations()["operations"],
        "cores": sum(host["cores"] for host in hosts),
        "machines": [machine(host) for host in hosts],
        "firmwares": summary.firmwares(),
        "buttons": BUTTONS,
        "live": "parts=counts,capacity,hosts,operations,cores,wall",
        "here": "fleet",
    }
    return render(request, "dashboard.html", context)
