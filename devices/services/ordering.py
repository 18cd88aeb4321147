"""Tells devices to reboot or to shut down, so many at once as their host can bear.

An order goes through Redis to the gateway, which pushes it down the device's own socket. Runs in
the host's worker; what waits for its turn is a pending target of a device that is online.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby, product

import redis
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.models import Device, Host, Operation, Target
from devices.services import orders, power_offs, room, transitions
from devices.services.verdicts import verdict
from devices.states import State

Kind = Operation.Kind

# a gateway keeps one for 45 s for a device that is just connecting (devices/gateway/orders.py);
# a clone of a crowd opens its socket up to 40 s after its report
TAKEN_WITHIN_S = 50.0
# what two processes' clocks may differ by
CLOCKS_S = 2.0
# shutting down takes an emulated device about a second of a core, and it has 60
SHUT_DOWNS_PER_CORE = 8

NOT_TAKEN = {
    Kind.REBOOT: (
        "It holds no connection to the gateway, so it could not be told to reboot: try again when "
        "it has connected, or power it off and on."
    ),
    Kind.SHUT_DOWN: (
        "It holds no connection to the gateway, so it could not be told to shut down: try again "
        "when it has connected, or power it off, which asks nobody."
    ),
}
_DOING = {Kind.REBOOT: State.REBOOTING, Kind.SHUT_DOWN: State.POWERING_OFF}
_ORDERS: dict[Kind, orders.Order] = {Kind.REBOOT: "reboot", Kind.SHUT_DOWN: "shutdown"}
_SAID = {Kind.REBOOT: "told to reboot", Kind.SHUT_DOWN: "told to shut down"}
# states that pass: a target waits for their end
_PASSING = (State.ONLINE, State.REBOOTING, State.POWERING_OFF)

_lock = threading.Lock()


def advance(host_name: str) -> None:
    """One round: give up orders nobody took, then give as many new ones as there are places."""
    host = Host.objects.filter(name=host_name).first()
    if host is None:
        return
    with _lock:
        for kind in _DOING:
            _give_up_untaken(host, kind)
        _shut_down(host)
        _reboot(host)


def _pending(kind: Kind, host: Host) -> QuerySet[Target] | None:
    """The pending targets of a kind on a host, in their order; None when no operation runs."""
    running = Operation.objects.filter(kind=kind, state=Operation.State.RUNNING)
    ids = list(running.values_list("id", flat=True))
    if not ids:
        return None
    return Target.objects.filter(
        operation__in=ids, outcome=Target.Outcome.PENDING, device__host=host
    ).order_by("operation_id", "device_id")


def _shut_down(host: Host) -> None:
    pending = _pending(Kind.SHUT_DOWN, host)
    if pending is None:
        return
    _refuse(Kind.SHUT_DOWN, pending)
    doing = pending.filter(device__state=State.POWERING_OFF).count()
    _order(Kind.SHUT_DOWN, pending, max(0, SHUT_DOWNS_PER_CORE * host.cores - doing))


def _reboot(host: Host) -> None:
    pending = _pending(Kind.REBOOT, host)
    if pending is None:
        return
    _refuse(Kind.REBOOT, pending)
    waits = ""
    online = pending.filter(device__state=State.ONLINE).order_by()
    of = set(online.values_list("device__firmware__architecture", flat=True).distinct())
    for was, architecture in product((Device.Start.COLD, Device.Start.WARM), sorted(of)):
        # nobody but the device itself knows whether it is a clone still
        theirs = pending.filter(device__reported_start=was)
        if was == Device.Start.COLD:
            theirs = pending.exclude(device__reported_start=Device.Start.WARM)
        theirs = theirs.filter(device__firmware__architecture=architecture)
        if not theirs.filter(device__state=State.ONLINE).exists():
            continue
        held, places = room.reboots(host, was, architecture)
        _order(Kind.REBOOT, theirs, places)
        if theirs.filter(device__state=State.ONLINE).exists():
            waits = held or waits
    orders.keep_held(host.name, waits)


def _refuse(kind: Kind, pending: QuerySet[Target]) -> None:
    """Settle the targets of devices that are no longer online: nobody can tell them."""
    lost = pending.exclude(device__state__in=_PASSING)
    states = set(lost.order_by().values_list("device__state", flat=True).distinct())
    for state in sorted(states):
        why = verdict(kind, State(state))
        if why is not None:
            transitions.settle(lost.filter(device__state=state), why.outcome, why.reason)


def _order(kind: Kind, pending: QuerySet[Target], places: int) -> None:
    """Give the order to the first of those that are online."""
    if places <= 0:
        return
    online = pending.filter(device__state=State.ONLINE)
    with transaction.atomic():
        ids = list(online.values_list("device_id", flat=True)[:places])
        _hold(ids)
        turn = list(
            online.filter(device_id__in=ids)
            .select_for_update(of=("self",))
            .select_related("operation")
        )
        for operation, targets in groupby(turn, key=lambda target: target.operation):
            moved = transitions.move(
                [target.device_id for target in targets], old=State.ONLINE, new=_DOING[kind],
                reason=_SAID[kind], actor_id=operation.actor_id, operation_id=operation.id,
            )
            _tell(kind, [device.serial for device in moved])


def _hold(device_ids: Iterable[int]) -> None:
    """Lock devices before their targets, in the order of every move: nobody waits in a circle."""
    wanted = Device.objects.filter(id__in=device_ids).order_by("id")
    list(wanted.select_for_update().values_list("id", flat=True))


def _tell(kind: Kind, serials: list[str]) -> None:
    # once it is written: the answer could be quicker than the commit
    transaction.on_commit(lambda: orders.give(_ORDERS[kind], serials))


def _give_up_untaken(host: Host, kind: Kind) -> None:
    """Devices whose order no gateway could hand over are online still, and their target failed."""
    pending = _pending(kind, host)
    if pending is None:
        return
    late = pending.filter(
        device__state=_DOING[kind],
        device__state_since__lt=timezone.now() - timedelta(seconds=TAKEN_WITHIN_S),
    )
    # what is to be powered off is not to be given up
    late = late.exclude(device__in=power_offs.pending())
    devices = {
        device_id: (serial, since)
        for device_id, serial, since in late.values_list(
            "device_id", "device__serial", "device__state_since"
        )
    }
    try:
        taken = orders.taken([serial for serial, _ in devices.values()])
    except redis.RedisError:
        return
    _give_up(
        kind, pending,
        [
            device_id
            for device_id, (serial, since) in devices.items()
            if taken.get(serial, 0.0) < since.timestamp() - CLOCKS_S
        ],
    )


def _give_up(kind: Kind, pending: QuerySet[Target], device_ids: Iterable[int]) -> None:
    ids = list(device_ids)
    if not ids:
        return
    with transaction.atomic():
        _hold(ids)
        transitions.settle(
            pending.filter(device_id__in=ids), Target.Outcome.FAILED, NOT_TAKEN[kind]
        )
        transitions.move(ids, old=_DOING[kind], new=State.ONLINE, reason=NOT_TAKEN[kind])
