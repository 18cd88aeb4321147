"""One device: what it is, what happened to it, what it says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices.errors import NotFound
from devices.live import words
from devices.models import Device
from devices.services import bus, listing
from devices.states import State
from devices.views.sentences import says_errors

MOST_SLOTS = 1 << 31  # the column's range


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
    if device.online_at is None:
        return ""
    return words.duration((device.online_at - device.requested_at).total_seconds())


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


@require_safe
@says_errors
def device_page(request: HttpRequest, serial: str) -> HttpResponse:
    """The page of one device, gone ones included while they are kept."""
    device = listing.device(serial)
    lines = command_lines(device.command_line)
    context = {
        "device": device,
        "alive": device.state not in (State.GONE, State.STOPPING),
        "since": words.duration((timezone.now() - device.state_since).total_seconds()),
        "came_online": _came_online(device),
        "events": listing.events(device),
        "command": "\n".join(lines[:1] + ["  " + line for line in lines[1:]]),
        "arguments": len(device.command_line),
        "console": bus.console(serial).decode("utf-8", "replace").replace("\r\n", "\n"),
        "live": f"parts=cores&console={serial}",
        "here": "devices",
    }
    return render(request, "devices/device.html", context)
