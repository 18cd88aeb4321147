"""Asking again for what failed."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from devices.errors import Conflict, NotFound
from devices.models import Device, Host, Operation, Target
from devices.services import acting, architectures, operations
from devices.services.asking import Asked, lock_hosts
from devices.services.tagging import Change
from devices.states import State

Kind = Operation.Kind


def retry(
    operation_id: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Ask again for what failed in an operation that has ended; an addition adds as many anew.

    The same idempotency key gives the operation it gave before. Raises NotFound, Conflict when it
    still runs or nothing failed, and what asking raises.
    """
    asked = Asked.by(actor, idempotency_key, "retry", operation=operation_id)
    with transaction.atomic():
        hosts = lock_hosts()
        if (earlier := asked.earlier()) is not None:
            return earlier
        operation = Operation.objects.filter(id=operation_id).first()
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        if operation.state == Operation.State.RUNNING:
            raise Conflict(
                f"Operation {operation_id} is still running: wait for its end, or cancel."
            )
        if operation.kind == Kind.ADD:
            return _add_again(asked, operation, hosts)
        return _act_again(asked, operation)


def _add_again(asked: Asked, operation: Operation, hosts: list[Host]) -> Operation:
    count = operation.targets.filter(outcome=Target.Outcome.FAILED).count()
    if count == 0:
        raise Conflict(f"Nothing of operation {operation.id} failed.")
    return operations.add(
        asked, count,
        operation.parameters.get("start", Device.Start.WARM),
        operation.parameters.get("architecture", architectures.DEFAULT),
        hosts, retry_of=operation.id,
    )


def _act_again(asked: Asked, operation: Operation) -> Operation:
    failed = operation.targets.filter(outcome=Target.Outcome.FAILED)
    there = failed.exclude(device__state=State.GONE).order_by("device_id")
    tags = dict(there.values_list("device__serial", "tags"))
    if not tags:
        raise Conflict(f"Nothing of operation {operation.id} is left to try again.")
    devices = acting.chosen(serials=list(tags))
    changes = None
    if operation.kind == Kind.TAG:
        changes = {d.id: Change.of(tags[d.serial] or operation.parameters) for d in devices}
    return acting.begin(
        asked.operation(
            operation.kind, len(devices), parameters=operation.parameters,
            retry_of_id=operation.id,
        ),
        devices, changes,
    )
