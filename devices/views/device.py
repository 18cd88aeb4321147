"""One device: what it is, how it is, what happened to it, what it says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices.errors import NotFound
from devices.live import device_panel, words
from devices.models import Device
from devices.services import listing, machines, tagging, timeline
from devices.services.slots import slots
from devices.states import WITH_PROCESS, State
from devices.views.device_actions import actions
from devices.views.sentences import says_errors

MOST_SLOTS = 1 << 31  # the column's range
MOST_EVENTS = 1 << 63
# qapi/run-state.json, those that a device can be met in
RUN_STATES = {
    "running": "its processors run",
    "paused": "it was stopped over QMP",
    "shutdown": "the guest has ended itself",
    "prelaunch": "it has not been told to start yet",
    "inmigrate": "it is waking from its template",
    "internal-error": "qemu met a fault that keeps the guest from running",
    "io-error": "its disk could not be written",
    "guest-panicked": "its kernel has given up",
}


def command_lines(argv: Sequence[str]) -> list[str]:
    """A command line as a shell would take it, an option with its value a line.

    Every line but the last ends in a backslash.
    """
    groups: list[list[str]] = []
    for argument in argv:
        opens = argument.startswith("-")
        if groups and not opens and len(groups[-1]) == 1 and groups[-1][0].startswith("-"):
            groups[-1].append(argument)
        else:
            groups.append([argument])
    lines = [" ".join(shlex.quote(argument) for argument in group) for group in groups]
    return [line + " \\" for line in lines[:-1]] + lines[-1:]


def _came_online(device: Device) -> str:
    asked_at = timeline.start_asked_at(device)
    if asked_at is None or device.online_at is None:
        return ""
    return words.duration((device.online_at - asked_at).total_seconds())


@require_safe
@says_errors
def device_at(request: HttpRequest, slot: int) -> HttpResponse:
    """To the device that has this place on the wall."""
    return redirect("device", _serial_at(slot))


@require_safe
@says_errors
def serial_at(request: HttpRequest, slot: int) -> HttpResponse:
    """The serial of the device that has this place on the wall, as plain text."""
    return HttpResponse(_serial_at(slot), content_type="text/plain; charset=utf-8")


def _serial_at(slot: int) -> str:
    found = listing.by_slots(slot, slot) if slot < MOST_SLOTS else []
    if not found:
        raise NotFound(f"There is no device in place {slot} any more.")
    return found[0].serial


def _before(request: HttpRequest) -> int | None:
    """The event below which the timeline begins; None for its newest part."""
    given = request.GET.get("before", "")
    if not (given.isascii() and given.isdigit() and len(given) < 20):
        return None
    return min(int(given), MOST_EVENTS - 1)


@require_safe
@says_errors
def device_page(request: HttpRequest, serial: str) -> HttpResponse:
    """The page of one device, gone ones included while they are kept."""
    device = listing.device(serial)
    lines = command_lines(device.command_line)
    shown = timeline.page(device, before=_before(request))
    context = {
        "device": device,
        "since": words.duration((timezone.now() - device.state_since).total_seconds()),
        "came_online": _came_online(device),
        "actions": actions(device),
        "tags": tagging.of(device),
        "taggable": device.state not in (State.GONE, State.STOPPING),
        "now_html": render_to_string("live/device_now.html", device_panel.now(serial)),
        "slots": slots(device),
        "timeline": shown,
        "moments": [
            (m.event, "" if m.lasted_s is None else words.duration(m.lasted_s))
            for m in shown.moments
        ],
        "running": device.state in WITH_PROCESS,
        "command": "\n".join(lines[:1] + ["  " + line for line in lines[1:]]),
        "arguments": len(device.command_line),
        "live": f"parts=cores&console={serial}&device={serial}",
        "here": "devices",
    }
    return render(request, "devices/device.html", context)


@require_safe
@says_errors
def machine_status(request: HttpRequest, serial: str) -> HttpResponse:
    """What qemu says of the device's machine, as a piece of its page; waits for the worker."""
    status = machines.ask(listing.device(serial))
    context = {
        "status": status,
        "meaning": RUN_STATES.get(status.status, ""),
        "took": "" if status.took_s is None else f"{1000 * status.took_s:.0f} ms",
        "asked_at": timezone.now(),
    }
    return render(request, "devices/machine_status.html", context)
