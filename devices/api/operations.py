"""Operations: asking for many devices, watching, cancelling, undoing, trying again."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Header, Path, Query, Router, Schema, Status
from pydantic import Field

from devices.api.auth import actor
from devices.api.cursors import Cursor, cursor_of, number_of
from devices.api.operation_schemas import OperationIn, OperationOut, OperationsOut
from devices.api.schemas import ProblemOut
from devices.models import Operation
from devices.services import acting, asked, retrying
from devices.services import operations as service
from devices.services import undo as undoing
from devices.services.progress import OperationView

router = Router()

LIST = "operations"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=64,
        description="Asking for the same with the same key gives the operation of the first time; "
        "asking for something else with it is refused (409). Your keys are yours alone.",
    ),
]
OperationId = Annotated[int, Path(ge=1, lt=1 << 63)]
PROBLEMS = {404: ProblemOut, 409: ProblemOut, 422: ProblemOut, 503: ProblemOut}


@router.post(
    "/operations", response={201: OperationOut, **PROBLEMS}, summary="Ask something of many devices"
)
def ask(
    request: HttpRequest, wish: OperationIn, idempotency_key: IdempotencyKey = None
) -> Status[OperationView]:
    """Add devices, or do something with those named or those that match.

    `remove` also takes a count: failed ones first, then the newest. 409 with `fits` when more is
    asked for than fits; nothing is begun then.
    """
    user = actor(request)
    if wish.kind == "add":
        operation = service.request_add(
            count=wish.count or 0, actor=user, start=wish.start, architecture=wish.architecture,
            idempotency_key=idempotency_key,
        )
    elif wish.count is not None:
        operation = service.request_remove(
            count=wish.count, actor=user, idempotency_key=idempotency_key
        )
    else:
        operation = acting.request(
            wish.kind,
            serials=wish.serials,
            matching=None if wish.matching is None else wish.matching.wanted(),
            confirmed=wish.confirmed,
            parameters=wish.parameters(),
            actor=user,
            idempotency_key=idempotency_key,
        )
    return Status(201, service.get(operation.id))


class OperationFilter(Schema):
    """Which operations; each field given must hold."""

    kind: Annotated[list[Operation.Kind], Field(default_factory=list, max_length=10)]
    state: Annotated[list[Operation.State], Field(default_factory=list, max_length=10)]
    actor: Annotated[str, Field(max_length=150)] = ""


@router.get(
    "/operations", response={200: OperationsOut, 422: ProblemOut}, summary="List operations"
)
def some(
    request: HttpRequest,
    wanted: Annotated[OperationFilter, Query()],
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Operations that match, newest first."""
    found = asked.operations_before(
        number_of(LIST, cursor), limit + 1, kinds=wanted.kind, states=wanted.state,
        actor=wanted.actor,
    )
    more = len(found) > limit
    return {
        "operations": found[:limit],
        "next": cursor_of(LIST, found[limit - 1].id) if more else None,
    }


@router.get(
    "/operations/{operation_id}",
    response={200: OperationOut, 404: ProblemOut},
    summary="One operation",
)
def one(request: HttpRequest, operation_id: OperationId) -> OperationView:
    """One operation with its progress, rate and time left."""
    return service.get(operation_id)


@router.post(
    "/operations/{operation_id}/cancel",
    response={200: OperationOut, **PROBLEMS},
    summary="Cancel an operation",
)
def cancel(
    request: HttpRequest, operation_id: OperationId, idempotency_key: IdempotencyKey = None
) -> OperationView:
    """Leave alone what has not begun yet; what has begun goes on to its end."""
    service.cancel(operation_id, actor(request), idempotency_key)
    return service.get(operation_id)


@router.post(
    "/operations/{operation_id}/undo",
    response={201: OperationOut, **PROBLEMS},
    summary="Undo an operation",
)
def undo(
    request: HttpRequest, operation_id: OperationId, idempotency_key: IdempotencyKey = None
) -> Status[OperationView]:
    """Take back what an operation did, where that means something; gives the new operation."""
    undone = undoing.undo(operation_id, actor(request), idempotency_key)
    return Status(201, service.get(undone.id))


@router.post(
    "/operations/{operation_id}/retry",
    response={201: OperationOut, **PROBLEMS},
    summary="Try again what failed",
)
def retry(
    request: HttpRequest, operation_id: OperationId, idempotency_key: IdempotencyKey = None
) -> Status[OperationView]:
    """Ask the same again of the devices on which it failed; gives the new operation."""
    again = retrying.retry(operation_id, actor(request), idempotency_key)
    return Status(201, service.get(again.id))
