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
from django.utils import timezone

from devices.errors import BadRequest, Conflict, NotFound
from devices.models import Device, Host, Operation, Target
from devices.services import (
    admission,
    architectures,
    bus,
    dispatch,
    operations,
    tagging,
    transitions,
)
from devices.services.asking import MOST, repeated
from devices.services.matching import Filter, queryset
from devices.services.removing import begin_removal
from devices.services.verdicts import POWERABLE, verdict
from devices.states import State

Kind = Operation.Kind
KINDS = (Kind.REBOOT, Kind.SHUT_DOWN, Kind.POWER_OFF, Kind.POWER_ON, Kind.REMOVE, Kind.TAG)


def request(
    kind: str,
    *,
    serials: Sequence[str] | None = None,
    matching: Filter | None = None,
    parameters: Mapping[str, Any] | None = None,
    actor: AbstractBaseUser | None,
    idempotency_key: str | None = None,
    retry_of: int | None = None,
) -> Operation:
    """Ask for an action of one of `KINDS` on devices, by serial or on all that match.

    `parameters` are those of a tagging: {"add": [tags], "remove": [tags]}. The same idempotency
    key gives the operation it gave before. Raises BadRequest, NotFound naming serials that do not
    exist, Conflict when there is no device at all, or DoesNotFit when more is to be powered on
    than fits; nothing is begun then.
    """
    if kind not in KINDS:
        raise BadRequest(f"{str(kind)[:40]} is no action: choose one of {', '.join(KINDS)}.")
    if (serials is None) == (matching is None):
        raise BadRequest("Name either serials or a filter.")
    given = _parameters(kind, parameters)
    with transaction.atomic():
        # one admission at a time: what is free is counted before the next one asks
        list(Host.objects.select_for_update().order_by("id"))
        count = None if serials is None else len(set(serials))
        earlier = repeated(idempotency_key, kind, count)
        if earlier is not None:
            return earlier
        devices = _chosen(serials, matching)
        operation = Operation(
            kind=kind, count=len(devices), actor_id=actor.pk if actor else None,
            parameters=given, idempotency_key=idempotency_key, retry_of_id=retry_of,
            created_at=timezone.now(),
        )
        if kind == Kind.REMOVE:
            begin_removal(operation, devices)
        else:
            _begin(operation, devices)
    operation.refresh_from_db()
    return operation


def retry(
    operation_id: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Ask again for what failed in an operation that has ended; an addition adds as many anew.

    Raises NotFound, Conflict when it still runs or nothing failed, and what asking raises.
    """
    operation = Operation.objects.filter(id=operation_id).first()
    if operation is None:
        raise NotFound(f"There is no operation {operation_id}.")
    if operation.state == Operation.State.RUNNING:
        raise Conflict(f"Operation {operation_id} is still running: wait for its end, or cancel.")
    failed = operation.targets.filter(outcome=Target.Outcome.FAILED)
    if operation.kind == Kind.ADD:
        count = failed.count()
        if count == 0:
            raise Conflict(f"Nothing of operation {operation_id} failed.")
        return operations.request_add(
            count=count, actor=actor, idempotency_key=idempotency_key, retry_of=operation_id,
            start=operation.parameters.get("start", Device.Start.WARM),
            architecture=operation.parameters.get("architecture", architectures.DEFAULT),
        )
    there = failed.exclude(device__state=State.GONE)
    serials = list(there.order_by("device_id").values_list("device__serial", flat=True))
    if not serials:
        raise Conflict(f"Nothing of operation {operation_id} is left to try again.")
    return request(
        operation.kind, serials=serials, parameters=operation.parameters or None, actor=actor,
        idempotency_key=idempotency_key, retry_of=operation_id,
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


def _chosen(serials: Sequence[str] | None, matching: Filter | None) -> list[Device]:
    """The devices that are meant, as they are once nobody else can move them."""
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


def _begin(operation: Operation, devices: Sequence[Device]) -> None:
    """Write the operation with its targets, and do at once what can be done at once."""
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

    def begin() -> None:
        bus.publish_changes(operations=[operation.id])
        if operation.kind != Kind.TAG:
            for name in hosts:
                dispatch.to_host(task, name)

    transaction.on_commit(begin)


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


def _tag(operation: Operation, devices: Sequence[Device]) -> None:
    refused = tagging.apply(
        [d.id for d in devices], add=operation.parameters["add"],
        remove=operation.parameters["remove"], actor_id=operation.actor_id,
        operation_id=operation.id, at=operation.created_at,
    )
    for sentence in set(refused.values()):
        ids = [device_id for device_id, said in refused.items() if said == sentence]
        transitions.settle(
            operation.targets.filter(device_id__in=ids), Target.Outcome.FAILED, sentence
        )
    transitions.settle(operation.targets.all(), Target.Outcome.DONE)


_AT_ONCE: Mapping[Kind, Callable[[Operation, Sequence[Device]], None]] = {
    Kind.POWER_OFF: _power_off,
    Kind.POWER_ON: _power_on,
    Kind.TAG: _tag,
}
