"""Which power-offs were asked for and are not done."""

from __future__ import annotations

from django.db.models import QuerySet

from devices.models import Device, Operation, Target


def pending() -> QuerySet[Device]:
    """The devices whose power-off was asked for and is not done.

    The rounds of the host's worker end their guests and say so: nobody else takes one for dead.
    """
    targets = Target.objects.filter(
        operation__in=Operation.objects.filter(
            kind=Operation.Kind.POWER_OFF, state=Operation.State.RUNNING
        ).values("id"),
        outcome=Target.Outcome.PENDING,
    )
    return Device.objects.filter(id__in=targets.values("device_id"))
