"""What a person asks of devices that are there: reboot, shut down, power off and on, tag, remove.

One operation, one target a device. A device for which the action makes no sense in its state is a
target that ends at once with the reason. What takes time is carried out in rounds by the worker of
each host (`devices/services/carrying.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from devices.errors import BadRequest, Conflict, NotFound
from devices.models import Device, Operation, Target
from devices.services import admission, bus, dispatch, tagging, transitions
from devices.services.asking import MOST, Asked, lock_hosts
from devices.services.matching import Filter, queryset
from devices.services.removing import begin_removal
from devices.services.tagging import Change
from devices.services.verdicts import POWERABLE, verdict
from devices.states import State

Kind = Operation.Kind
# devices come and go while a person reads a question: so much may the number have changed
LEAST_DRIFT = 1
DRIFT_SHARE = 0.02
KINDS = (Kind.REBOOT, Kind.SHUT_DOWN, Kind.POWER_OFF, Kind.POWER_ON, Kind.REMOVE, Kind.TAG)


def request(
    kind: str,
    *,
    serials: Sequence[str] | None = None,
    matching: Filter | None = None,
    confirmed: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    actor: AbstractBaseUser | None,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for an action of one of `KINDS` on devices, by serial or on all that match.

    `parameters` are those of a tagging: {"add": [tags], "remove": [tags]}; `confirmed` is how many
    devices a person was asked about. The same idempotency key gives the operation it gave before.
    Raises BadRequest, NotFound naming serials that do not exist, Conflict when there is no device
    at all or noticeably more or fewer than were confirmed, or DoesNotFit when more is to be powered
    on than fits; nothing is begun then.
    """
    if kind not in KINDS:
        raise BadRequest(f"{str(kind)[:40]} is no action: choose one of {', '.join(KINDS)}.")
    if (serials is None) == (matching is None):
        raise BadRequest("Name either serials or a filter.")
    given = _parameters(kind, parameters)
    asked = Asked.by(
        actor, idempotency_key, kind, parameters=given,
        serials=None if serials is None else sorted(set(serials)),
        matching=None if matching is None else matching.pairs(),
    )
    with transaction.atomic():
        lock_hosts()
        # what was sent twice is answered as it was the first time, whatever matches now
        if (earlier := asked.earlier()) is not None:
            return earlier
        devices = chosen(serials=serials, matching=matching)
        if confirmed is not None:
            _check_confirmed(confirmed, len(devices))
        return begin(asked.operation(kind, len(devices), parameters=given), devices)


def _check_confirmed(confirmed: int, now: int) -> None:
    if abs(now - confirmed) > max(LEAST_DRIFT, DRIFT_SHARE * confirmed):
        raise Conflict(
            f"{confirmed:,} matched when you were asked, {now:,} match now. Nothing was done: "
            "look again, and repeat it if these are meant."
        )


def _parameters(kind: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    if kind == Kind.TAG:
        wanted = given or {}
        if unknown := set(wanted) - {"add", "remove"}:
            raise BadRequest(f"A tagging knows add and remove, not {min(unknown)[:40]}.")
        return tagging.parameters(wanted.get("add", ()), wanted.get("remove", ()))
    if given:
        raise BadRequest(f"{kind} takes no parameters.")
    return {}


def chosen(
    *, serials: Sequence[str] | None = None, matching: Filter | None = None
) -> list[Device]:
    """The devices that are meant, as they are once nobody else can move them.

    Raises NotFound, Conflict when there is none, or BadRequest when they are too many.
    """
    there = Device.objects.exclude(state=State.GONE)
    if matching is not None:
        there = queryset(matching).exclude(state=State.GONE)
    else:
        there = there.filter(serial__in=set(serials or ()))
    devices = list(
        there.select_for_update(of=("self",))
        .select_related("host", "firmware")
        .defer("command_line")
        .order_by("id")[: MOST + 1]
    )
    if serials is not None:
        unknown = sorted(set(serials) - {d.serial for d in devices})
        if unknown:
            raise NotFound(f"There is no device {', '.join(unknown)[:40]}.")
    if not devices:
        raise Conflict("No device matches: nothing was begun.")
    if len(devices) > MOST:
        raise BadRequest(
            f"More than {MOST:,} devices match: narrow the filter and ask in parts."
        )
    return devices


def begin(
    operation: Operation,
    devices: Sequence[Device],
    changes: Mapping[int, Change] | None = None,
) -> Operation:
    """Write an operation that is not saved yet, and do at once what can be done at once.

    Of a tagging, `changes` says by the devices' ids what is meant for each, where that is not the
    same for all. To be called in the transaction in which the hosts were locked.
    """
    if operation.kind == Kind.REMOVE:
        begin_removal(operation, devices)
    elif operation.kind == Kind.TAG:
        same = dict.fromkeys((d.id for d in devices), Change.of(operation.parameters))
        _tag(operation, same if changes is None else changes)
    else:
        _act(operation, devices)
    operation.refresh_from_db()
    return operation


def _act(operation: Operation, devices: Sequence[Device]) -> None:
    verdicts = {d.id: verdict(operation.kind, State(d.state)) for d in devices}
    concerned = [d for d in devices if verdicts[d.id] is None]
    if operation.kind == Kind.POWER_ON:
        admission.check_room(concerned)
    operation.save()
    at = operation.created_at
    Target.objects.bulk_create(
        Target(operation=operation, device=d)
        if (left_out := verdicts[d.id]) is None
        else Target(
            operation=operation, device=d, outcome=left_out.outcome, reason=left_out.reason,
            ended_at=at,
        )
        for d in devices
    )
    _AT_ONCE.get(Kind(operation.kind), _leave_to_rounds)(operation, concerned)
    transitions.end_operations([operation.id], at)
    hosts = sorted({d.host.name for d in concerned})
    task = "launch" if operation.kind == Kind.POWER_ON else "act"

    def tell() -> None:
        bus.publish_changes(operations=[operation.id])
        for name in hosts:
            dispatch.to_host(task, name)

    transaction.on_commit(tell)


def _tag(operation: Operation, changes: Mapping[int, Change]) -> None:
    operation.save()
    at = operation.created_at
    applied = tagging.apply(
        changes, actor_id=operation.actor_id, operation_id=operation.id, at=at
    )
    Target.objects.bulk_create(
        Target(
            operation=operation, device_id=id, outcome=Target.Outcome.FAILED, reason=refused,
            ended_at=at, tags=wanted.to_json(),
        )
        if (refused := applied.refused.get(id))
        else Target(
            operation=operation, device_id=id, outcome=Target.Outcome.DONE, ended_at=at,
            tags=applied.changed[id].to_json() if id in applied.changed else None,
        )
        for id, wanted in sorted(changes.items())
    )
    transitions.end_operations([operation.id], at)
    transaction.on_commit(lambda: bus.publish_changes(operations=[operation.id]))


def _leave_to_rounds(operation: Operation, devices: Sequence[Device]) -> None:
    """So many are told at once as the host can bear: that is the rounds' business."""


def _power_off(operation: Operation, devices: Sequence[Device]) -> None:
    ids = [d.id for d in devices]
    who: dict[str, Any] = {"actor_id": operation.actor_id, "operation_id": operation.id}
    transitions.move(
        ids, old=State.REQUESTED, new=State.OFF, reason="powered off before it started", **who
    )
    transitions.move(ids, old=POWERABLE, new=State.POWERING_OFF, reason="powered off", **who)


def _power_on(operation: Operation, devices: Sequence[Device]) -> None:
    who: dict[str, Any] = {"actor_id": operation.actor_id, "operation_id": operation.id}
    again: dict[str, Any] = {
        "attempts": 0, "online_at": None, "reported_start": "", "ended_at": None, **who
    }
    never = [d.id for d in devices if not d.boot_id]
    transitions.move(
        never, old=State.OFF, new=State.REQUESTED, reason="powered on", **again
    )
    # through the boot-loader: a template's memory does not fit a disk that has lived
    transitions.move(
        [d.id for d in devices if d.boot_id], old=State.OFF, new=State.REQUESTED,
        reason="powered on", start=Device.Start.COLD, **again,
    )


_AT_ONCE: Mapping[Kind, Callable[[Operation, Sequence[Device]], None]] = {
    Kind.POWER_OFF: _power_off,
    Kind.POWER_ON: _power_on,
}
