"""Devices that are in a passing state for longer than it may last, and what becomes of them.

Only the time counts in which they could be heard, without a break: while the worker was away, the
machine slept, or the gateway did not run, no device is late. After that each has its whole time
anew.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from devices.models import Device
from devices.services import bus, guests, power_offs, powering, templates, transitions
from devices.services.unbroken import Unbroken
from devices.states import GRAPH, State

# rounds come every 5 s
GAP_S = 30.0
# seconds are filled in
OVERDUE = {
    State.BOOTING: "It did not report in within {} s of booting.",
    State.REBOOTING: "It did not report in within {} s of being told to reboot.",
    State.UPDATING: "It did not report in within {} s of updating.",
    State.POWERING_OFF: (
        "It did not shut down within {} s of being told to: power it off, which asks nobody."
    ),
}

_rounds = Unbroken(GAP_S)


def heard_since(host_name: str) -> datetime | None:
    """Since when devices of a host could be heard without a break; None when they cannot be now.

    To be asked in every round of the host's worker.
    """
    if not bus.making_progress([bus.GATEWAY], host_name)[bus.GATEWAY]:
        _rounds.broken()
        return None
    return datetime.fromtimestamp(_rounds.since(time.time()), UTC)


def enforce(host_name: str, since: datetime | None) -> None:
    """Give up the devices of a host that are late; `since` is what `heard_since` gives.

    One that was on before and did not start again is off, keeps its disk, and its guest is ended.
    """
    if since is None:
        return
    now = timezone.now()
    went_off: list[Device] = []
    for state, node in GRAPH.items():
        if node.lasts_s is None or node.overdue is None or state is State.SPAWNING:
            continue
        latest = now - timedelta(seconds=node.lasts_s)
        if since > latest:
            continue
        overdue = Device.objects.on(host_name).select_related("firmware").filter(
            state=state, state_since__lt=latest
        )
        # what is to be ended anyway is tried again in each round
        late = list(overdue.exclude(id__in=power_offs.pending().values("id")))
        for device in late:
            new, columns = node.overdue, dict[str, Any]()
            reason = OVERDUE[state].format(node.lasts_s)
            if state is State.BOOTING and guests.has_lived(device):
                new, columns = State.OFF, {"pid": None, "start_time": None}
                reason += f" {guests.DISK_KEPT}"
            said = last_line(bus.console(device.serial))
            if said:
                reason += f" Its console ends: “{said}”"
            moved = transitions.move([device.id], old=state, new=new, reason=reason, **columns)
            went_off += moved if new is State.OFF else []
        if state is State.BOOTING:
            _doubt_template(host_name, late)
    if went_off:
        powering.keep_off(host_name)


def _doubt_template(host_name: str, late: Sequence[Device]) -> None:
    """When clones never report, and none woken since the first of them did, it is the template."""
    clones = Device.objects.on(host_name).filter(start=Device.Start.WARM)
    for architecture in {d.firmware.architecture for d in late}:
        woken = [
            d.spawned_at for d in late
            if d.firmware.architecture == architecture
            and d.start == Device.Start.WARM and d.spawned_at
        ]
        alike = clones.filter(firmware__architecture=architecture)
        if woken and not alike.filter(online_at__gte=min(woken)).exists():
            templates.distrust(host_name, architecture, max(woken))


def last_line(console: bytes) -> str:
    """The last line of console output that says anything, at most 200 characters."""
    lines = [line.strip() for line in console.decode(errors="replace").splitlines()]
    printable = ("".join(c for c in line if c.isprintable()) for line in reversed(lines))
    return next((line for line in printable if line), "")[:200]
