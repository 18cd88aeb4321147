"""What became of each device of an operation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from devices.api.cursors import Cursor, Limit, cursor_of, number_of
from devices.api.operation_schemas import OutcomesOut
from devices.api.operations import OperationId
from devices.api.schemas import ProblemOut
from devices.models import Target
from devices.services import asked

router = Router()

LIST = "outcomes"


@router.get(
    "/operations/{operation_id}/devices",
    response={200: OutcomesOut, 404: ProblemOut, 422: ProblemOut},
    summary="The devices of an operation",
)
def some(
    request: HttpRequest,
    operation_id: OperationId,
    outcome: Target.Outcome | None = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Each device of an operation with its outcome, and why it failed or was left out."""
    after = number_of(LIST, cursor) or 0
    found = asked.targets_after(operation_id, after, limit + 1, outcome=outcome or "")
    more = len(found) > limit
    return {
        "devices": [
            {
                "serial": target.device.serial,
                "outcome": target.outcome,
                "reason": target.reason,
                "ended_at": target.ended_at,
            }
            for target in found[:limit]
        ],
        "next": cursor_of(LIST, found[limit - 1].pk) if more else None,
    }
