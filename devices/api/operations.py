"""Operations: asking for many devices, watching, cancelling, undoing."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Header, Path, Query, Router, Status

from devices.api.auth import actor
from devices.api.schemas import OperationIn, OperationOut, OperationsOut, ProblemOut
from devices.services import operations as service
from devices.services import undo as undoing
from devices.services.progress import OperationView

router = Router()

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=64,
        description="Asking again with the same key gives the operation of the first time.",
    ),
]
OperationId = Annotated[int, Path(ge=1, lt=1 << 63)]
PROBLEMS = {404: ProblemOut, 409: ProblemOut, 422: ProblemOut, 503: ProblemOut}


@router.post(
    "/operations", response={201: OperationOut, **PROBLEMS}, summary="Add or remove devices"
)
def ask(
    request: HttpRequest, wish: OperationIn, idempotency_key: IdempotencyKey = None
) -> Status[OperationView]:
    """Add devices, or remove some: by count (failed and newest first) or by serial.

    409 with `fits` when more is asked for than fits; nothing is begun then.
    """
    user = actor(request)
    if wish.serials is not None:
        operation = service.request_remove_devices(
            serials=wish.serials, actor=user, idempotency_key=idempotency_key
        )
    elif wish.kind == "add":
        operation = service.request_add(
            count=wish.count or 0, actor=user, start=wish.start, idempotency_key=idempotency_key
        )
    else:
        operation = service.request_remove(
            count=wish.count or 0, actor=user, idempotency_key=idempotency_key
        )
    return Status(201, service.get(operation.id))


@router.get("/operations", response=OperationsOut, summary="The newest operations")
def recent(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """The newest operations, newest first."""
    return {"operations": service.recent(limit)}


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
    response={200: OperationOut, 404: ProblemOut, 409: ProblemOut},
    summary="Cancel an operation",
)
def cancel(request: HttpRequest, operation_id: OperationId) -> OperationView:
    """Stop starting what has not started yet; what is starting or online stays."""
    service.cancel(operation_id, actor(request))
    return service.get(operation_id)


@router.post(
    "/operations/{operation_id}/undo",
    response={201: OperationOut, 404: ProblemOut, 409: ProblemOut},
    summary="Undo an addition",
)
def undo(
    request: HttpRequest, operation_id: OperationId, idempotency_key: IdempotencyKey = None
) -> Status[OperationView]:
    """Remove what an addition added; gives the removal. A removal itself cannot be undone."""
    removal = undoing.undo(operation_id, actor(request), idempotency_key)
    return Status(201, service.get(removal.id))
