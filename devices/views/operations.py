"""The log of operations, and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from devices.live import panels, words
from devices.models import Operation, Target
from devices.services import operation_log, operations, retrying
from devices.services.operation_log import Entry, LogFilter
from devices.views.buttons import actor, answer, idempotency_key
from devices.views.sentences import says_errors

MOST_DIGITS = 9
OUTCOMES = tuple(str(outcome) for outcome in operation_log.OUTCOME_ORDER)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 1


@require_safe
def operation_list(request: HttpRequest) -> HttpResponse:
    """The log, newest first; a strange parameter falls back to its default."""
    wanted = LogFilter.parse(request.GET.dict())
    page = operation_log.page(wanted, _whole(request.GET.get("page", "")))
    kept = {"kind": wanted.kind, "state": wanted.state, "actor": wanted.actor}

    def address(number: int) -> str:
        shown = {name: value for name, value in kept.items() if value}
        return "?" + urlencode(shown | ({"page": str(number)} if number > 1 else {}))

    context = {
        "rows": [_row(entry) for entry in page.entries],
        "page": page,
        "wanted": wanted,
        "kinds": [(str(kind), words.verb(kind)) for kind in Operation.Kind],
        "states": [(str(state), words.operation_state(state)) for state in Operation.State],
        "actors": operation_log.actors(),
        "first": (page.page - 1) * operation_log.PAGE + 1 if page.total else 0,
        "last": (page.page - 1) * operation_log.PAGE + len(page.entries),
        "previous": address(page.page - 1) if page.page > 1 else "",
        "next": address(page.page + 1) if page.page < page.pages else "",
        "filtered": any(kept.values()),
        "live": "parts=cores,log",
        "here": "operations",
    }
    return render(request, "operations/list.html", context)


def _row(entry: Entry) -> dict[str, Any]:
    operation = entry.operation
    running = operation.state == Operation.State.RUNNING
    return {
        "id": operation.id,
        "kind": operation.kind,
        "title": words.operation(operation.kind, operation.count),
        "state": operation.state,
        "state_word": words.operation_state(
            operation.state, cancelling=operation.cancel_requested_at is not None
        ),
        "running": running,
        "actor": operation.actor.get_username() if operation.actor else "",
        "created_at": operation.created_at,
        "note": operation.note,
        "done": entry.done,
        "failed": entry.failed,
        "cancelled": entry.cancelled,
        "ended": entry.total - entry.pending,
        "total": entry.total,
        "took": words.duration(entry.seconds),
        "view": panels.operation(operations.get(operation.id)) if running else None,
    }


@require_safe
@says_errors
def operation_page(request: HttpRequest, operation_id: int) -> HttpResponse:
    """One operation: how far it is, and what became of each device."""
    view = operations.get(operation_id)
    row = operation_log.row(operation_id)
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in OUTCOMES else ""
    page = operation_log.targets(
        operation_id, outcome=outcome, number=_whole(request.GET.get("page", ""))
    )

    def address(number: int) -> str:
        shown = {"outcome": outcome} if outcome else {}
        return "?" + urlencode(shown | ({"page": str(number)} if number > 1 else {}))

    context = {
        "o": panels.operation(view),
        "retry_of": row.retry_of_id if row else None,
        "retries": operation_log.retries(operation_id),
        "tags": _tags(row),
        "page": page,
        "targets": [_target(target, view.created_at) for target in page.targets],
        "outcome": outcome,
        "outcomes": [(name, page.counts[name]) for name in OUTCOMES if page.counts[name]],
        "previous": address(page.page - 1) if page.page > 1 else "",
        "next": address(page.page + 1) if page.page < page.pages else "",
        "live": "parts=cores,log",
        "here": "operations",
    }
    return render(request, "operations/operation.html", context)


def _tags(row: Operation | None) -> dict[str, list[str]]:
    """What a tagging adds and removes."""
    given = row.parameters if row and row.kind == Operation.Kind.TAG else {}
    return {name: list(given.get(name, ())) for name in ("add", "remove")}


def _target(target: Target, began: Any) -> dict[str, Any]:
    device = target.device
    ended = target.ended_at
    failed = target.outcome == Target.Outcome.FAILED
    return {
        "serial": device.serial,
        "slot": device.slot,
        "state": device.state,
        "outcome": target.outcome,
        "after": words.duration((ended - began).total_seconds()) if ended else "",
        "reason": target.reason or (device.reason if failed else ""),
    }


@require_POST
@says_errors
def retry(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Try again with the devices with which an operation failed."""
    operation = retrying.retry(operation_id, actor(request), idempotency_key(request))
    text = f"Trying again: {words.operation(operation.kind, operation.count).lower()}."
    return answer(request, text, operation)
