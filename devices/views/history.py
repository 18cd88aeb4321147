"""History: the fleet's or a host's figures of the last hour, day and week as charts."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from devices.services import history, hosts

WINDOWS = (("hour", "Hour"), ("day", "Day"), ("week", "Week"))


@dataclass(frozen=True)
class Line:
    """One figure in a chart: its name in the store, its words, how it is told and drawn.

    `tone`, `dash` and `thin` make it differ from its neighbours; `axis` is `y`, or `y2` for a
    second scale.
    """

    figure: str
    label: str
    form: str
    tone: str
    dash: str = ""
    axis: str = "y"
    thin: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart: figures that are looked at together; `fleet_only` where a host has none of them.

    `wide` takes the whole width.
    """

    name: str
    title: str
    note: str
    lines: tuple[Line, ...]
    fleet_only: bool = False
    wide: bool = False


CHARTS = (
    Chart("devices", "Devices", "online, of all there are", (
        Line("online", "online", "count", "online"),
        Line("devices", "all", "count", "rest", "5 4"),
    ), wide=True),
    Chart("starting", "Coming online", "after a start, devices a second", (
        Line("started_per_s", "started", "rate", "online"),
    )),
    Chart("load", "Load", "tasks, mean of a minute; share of all cores", (
        Line("load", "load", "number", "amber"),
        Line("busy", "cores busy", "share", "rest", axis="y2", thin=True),
    )),
    Chart("memory", "Memory", "of the machine", (
        Line("memory_used_mib", "used", "mib", "amber"),
        Line("memory_guests_mib", "guests", "mib", "online", "8 3"),
        Line("memory_free_mib", "free", "mib", "rest", "5 4"),
        Line("memory_saved_mib", "saved by merging", "mib", "violet", "2 3"),
        Line("memory_zram_mib", "zram", "mib", "blue", "9 3 2 3"),
    )),
    Chart("profit", "KSM profit", "what merging saves less what it costs", (
        Line("ksm_profit_mib", "profit", "signed_mib", "violet"),
    )),
    Chart("gateway", "Gateway", "what devices and gateway say a second", (
        Line("messages_per_s", "messages", "rate", "blue"),
        Line("reports_per_s", "reports", "rate", "amber", "5 4"),
        Line("received_bytes_per_s", "bytes in", "bytes_rate", "online", "2 3", "y2"),
        Line("sent_bytes_per_s", "bytes out", "bytes_rate", "rest", "9 3 2 3", "y2"),
    ), fleet_only=True, wide=True),
)


@require_safe
def history_page(request: HttpRequest) -> HttpResponse:
    """The charts of a series (`?series=` a host's name, the fleet without) in a window.

    What is asked for and is not there falls back to the fleet and the last hour.
    """
    window = request.GET.get("window", "")
    window = window if window in history.WINDOWS else "hour"
    names = hosts.names()
    series = request.GET.get("series", "")
    series = series if series in names else history.FLEET
    context = {
        "windows": WINDOWS,
        "window": window,
        "hosts": names,
        "series": series,
        "charts": [c for c in CHARTS if series == history.FLEET or not c.fleet_only],
        "live": "parts=cores",
        "here": "history",
    }
    return render(request, "history.html", context)
