"""Operations as marks in time: what somebody asked for while the figures changed."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from devices.models import Operation

MOST = 300


def since(begin: datetime, changed_after: datetime | None = None) -> list[Operation]:
    """Operations that began at or after `begin`, oldest first, at most the newest `MOST`.

    With `changed_after` only those that began or ended since, or still run.
    """
    found = Operation.objects.filter(created_at__gte=begin)
    if changed_after is not None:
        found = found.filter(
            Q(created_at__gt=changed_after)
            | Q(ended_at__gt=changed_after)
            | Q(state=Operation.State.RUNNING)
        )
    return list(found.select_related("actor").order_by("-id")[:MOST])[::-1]
