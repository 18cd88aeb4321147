"""The buttons: add, remove, cancel."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from devices.errors import BadRequest
from devices.live import words
from devices.models import Operation
from devices.services import architectures, operations
from devices.services import undo as undoing
from devices.views.sentences import is_htmx, says_errors, toast


def _count(request: HttpRequest) -> int:
    given = request.POST.get("count", "")
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        shown = given[:40] or "Nothing"
        raise BadRequest(f"{shown} is not a whole number from 1 to {operations.MOST:,}.")
    return operations.check_count(int(given))


def _actor(request: HttpRequest) -> AbstractBaseUser | None:
    return request.user if request.user.is_authenticated else None


def _key(request: HttpRequest) -> str | None:
    return request.headers.get("Idempotency-Key") or None


def _answer(request: HttpRequest, text: str, operation: Operation) -> HttpResponse:
    if not is_htmx(request):
        return redirect("dashboard")
    # the operation itself arrives through the live socket
    return toast(request, text, kind="done", operation=operation.id)


@require_POST
@says_errors
def add(request: HttpRequest) -> HttpResponse:
    """Start `count` devices of an `architecture`."""
    operation = operations.request_add(
        count=_count(request),
        actor=_actor(request),
        architecture=request.POST.get("architecture") or architectures.DEFAULT,
        idempotency_key=_key(request),
    )
    return _answer(request, f"Starting {words.devices(operation.count)}.", operation)


@require_POST
@says_errors
def remove(request: HttpRequest) -> HttpResponse:
    """Remove `count` devices, or the one of `serial`."""
    serial = request.POST.get("serial")
    if serial is not None:
        operation = operations.request_remove_devices(
            serials=[serial], actor=_actor(request), idempotency_key=_key(request)
        )
        return _answer(request, f"Removing {serial[:40]}.", operation)
    operation = operations.request_remove(
        count=_count(request), actor=_actor(request), idempotency_key=_key(request)
    )
    return _answer(request, _removing(operation), operation)


def _removing(operation: Operation) -> str:
    note = f" ({operation.note})" if operation.note else ""
    return f"Removing {words.devices(operation.count)}{note}."


@require_POST
@says_errors
def cancel(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Leave alone what an operation has not begun yet."""
    operation = operations.cancel(operation_id, _actor(request), _key(request))
    rest = "is starting or online stays" if operation.kind == "add" else "has begun goes on"
    return _answer(request, f"Cancelling: what {rest}.", operation)


@require_POST
@says_errors
def undo(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Take back what an operation did."""
    operation = undoing.undo(operation_id, _actor(request), _key(request))
    begun = words.doing(operation.kind, words.devices(operation.count))
    return _answer(request, f"Undoing: {begun.lower()}.", operation)
