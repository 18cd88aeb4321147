"""One act on devices of the list: those that were picked, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from devices.errors import BadRequest
from devices.models import Operation
from devices.services import acting, matching
from devices.services.asking import MOST
from devices.services.matching import Filter
from devices.states import State


def how_many(wanted: Filter) -> int:
    """How many devices an act on all that match would mean now; nothing is done to gone ones."""
    return matching.queryset(wanted).exclude(state=State.GONE).count()


def still_listed(serials: Sequence[str], wanted: Filter) -> list[str]:
    """Those of the serials, in their order, whose devices match and are not gone.

    Raises BadRequest when they are more than can be acted on at once.
    """
    if len(serials) > MOST:
        raise BadRequest(f"Select at most {MOST:,} devices.")
    found = matching.queryset(wanted).exclude(state=State.GONE).filter(serial__in=serials)
    listed = set(found.values_list("serial", flat=True))
    return [serial for serial in serials if serial in listed]


def on_these(
    kind: str,
    serials: Sequence[str],
    *,
    actor: AbstractBaseUser | None,
    parameters: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Operation:
    """Act on the devices with these serials; raises BadRequest when there is none."""
    if not serials:
        raise BadRequest("Select at least one device.")
    return acting.request(
        kind, serials=serials, parameters=parameters, actor=actor,
        idempotency_key=idempotency_key,
    )


def on_all_that_match(
    kind: str,
    wanted: Filter,
    confirmed: int,
    *,
    actor: AbstractBaseUser | None,
    parameters: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Operation:
    """Act on all devices that match at this moment.

    `confirmed` is how many the person was asked about. Raises Conflict, and nothing is begun, when
    the number has changed since by more than devices come and go.
    """
    return acting.request(
        kind, matching=wanted, confirmed=confirmed, parameters=parameters, actor=actor,
        idempotency_key=idempotency_key,
    )
