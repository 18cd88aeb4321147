"""What devices say of themselves: the only way to become online."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from devices.models import Device, Operation
from devices.services import bus, dispatch, transitions
from devices.states import LIVING, State

REPORTABLE = (
    State.SPAWNING, State.BOOTING, State.OFFLINE, State.REBOOTING, State.UPDATING,
)
# what the clocks of a device and of this machine may differ by in a boot
CLOCKS_S = 2.0
# what such devices said last is of no use to anybody
FORGOTTEN = frozenset({State.STOPPING, State.GONE})


@dataclass(frozen=True, kw_only=True)
class Report:
    """One device's report: what it runs, when it said so (Unix time), and how long it had run."""

    serial: str
    version: str
    slot: str
    start: str
    at: float
    uptime_s: float = 0.0

    def is_of_boot_after(self, at: float) -> bool:
        """Whether it tells of a boot that began after Unix time `at`, as far as clocks agree.

        A clone that wakes does not boot: its kernel started as the template's.
        """
        began = self.at - self.uptime_s
        return self.start != Device.Start.WARM and began > at - CLOCKS_S


def secrets_of(serial: str) -> dict[str, str]:
    """The secrets of this device and of those that are starting, by serial.

    A device that may not report (there is none, or it has ended) is left out.
    """
    asked = Q(serial=serial, state__in=LIVING)
    starting = Q(state__in=(State.SPAWNING, State.BOOTING))
    return dict(Device.objects.filter(asked | starting).values_list("serial", "secret"))


def reported_in(reports: Sequence[Report]) -> None:
    """Make the devices that reported online, in bulk; a repeated report changes nothing."""
    by_serial = {report.serial: report for report in reports}
    bus.heard_from(list(by_serial), max((r.at for r in reports), default=0.0))
    with transaction.atomic():
        devices = list(
            Device.objects.filter(serial__in=by_serial).defer("command_line")
            .select_related("host").order_by("id")
        )
        # devices that start together say the same: one statement for all of them
        alike: dict[tuple[str, str, str], list[int]] = {}
        for device in devices:
            report = by_serial[device.serial]
            said = report.version[:64], report.slot[:1], report.start[:8]
            if said != (device.reported_version, device.reported_slot, device.reported_start):
                alike.setdefault(said, []).append(device.id)
        for (version, slot, start), ids in alike.items():
            Device.objects.filter(id__in=ids).update(
                reported_version=version, reported_slot=slot, reported_start=start
            )
        _online([d for d in devices if _counts(d, by_serial[d.serial])], "it reported in")
    remembered = {d.serial for d in devices if d.state not in FORGOTTEN}
    bus.forget([serial for serial in by_serial if serial not in remembered])
    _make_room({d.host.name for d in devices})


def _counts(device: Device, report: Report) -> bool:
    """Whether a report makes a device online: of one told to reboot, the first after that does.

    An answer may be lost, and the device then repeats what it said before it was told.
    """
    if device.state != State.REBOOTING:
        return State(device.state) in REPORTABLE
    return report.is_of_boot_after(device.state_since.timestamp())


def connected(serials: Sequence[str]) -> None:
    """Devices hold a connection: those thought offline are online.

    One that reboots or updates may still hold its old connection: only its report ends that.
    """
    found = Device.objects.filter(serial__in=serials, state=State.OFFLINE)
    back = list(found)
    _online(back, "it connected again")
    remember([device.serial for device in back], time.time())


def remember(serials: Sequence[str], at: float) -> None:
    """Take devices for heard from at Unix time `at`, unless they end at this moment.

    They may be unknown to Redis, which has lost what it knew.
    """
    if not serials:
        return
    bus.heard_from(serials, at)
    # asked after they were entered: whoever ends later is forgotten by who ends it
    there = Device.objects.filter(serial__in=serials).exclude(state__in=FORGOTTEN)
    remembered = set(there.values_list("serial", flat=True))
    bus.forget([serial for serial in serials if serial not in remembered])


def _online(devices: list[Device], reason: str) -> None:
    now_first = [d.id for d in devices if d.online_at is None]
    again = [d.id for d in devices if d.online_at is not None]
    at = timezone.now()
    transitions.move(
        now_first, old=REPORTABLE, new=State.ONLINE, reason=reason, at=at, online_at=at
    )
    transitions.move(again, old=REPORTABLE, new=State.ONLINE, reason=reason, at=at)


def _make_room(host_names: set[str]) -> None:
    """A device that came online frees a place among those starting and rebooting."""
    waiting = (
        Device.objects.filter(host__name__in=host_names, state=State.REQUESTED)
        .order_by()  # or the usual order would make every waiting device a row of its own
        .values_list("host__name", flat=True)
        .distinct()
    )
    for name in waiting:
        dispatch.to_host("launch", name)
    running = Operation.objects.filter(
        kind=Operation.Kind.REBOOT, state=Operation.State.RUNNING
    )
    if running.exists():
        for name in host_names:
            dispatch.to_host("act", name)
