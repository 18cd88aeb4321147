"""The bar under the list: the selected devices, and one act on them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from devices.errors import BadRequest
from devices.live import words
from devices.models import Operation
from devices.services import bulk, tagging
from devices.services.matching import Filter
from devices.views.sentences import is_htmx, says_errors, toast

Kind = Operation.Kind
KINDS = frozenset(
    {Kind.TAG, Kind.REBOOT, Kind.POWER_ON, Kind.SHUT_DOWN, Kind.POWER_OFF, Kind.REMOVE}
)


@require_POST  # they may be more than an address holds; nothing is changed
@says_errors
def still_listed(request: HttpRequest) -> HttpResponse:
    """Which of `serials` (apart by commas) the list of the address's query has now, as JSON."""
    wanted = Filter.parse(request.GET, strict=True)
    return JsonResponse({"serials": bulk.still_listed(_serials(request.POST), wanted)})


@require_POST
@says_errors
def act(request: HttpRequest) -> HttpResponse:
    """Begin `kind` for `serials` (apart by commas), or for all `matching` a query.

    `confirmed` is how many the person was asked about; `add` and `remove` are tags.
    """
    given = request.POST
    kind = given.get("kind", "")
    if kind not in KINDS:
        raise BadRequest(f"“{kind[:40]}” is nothing that can be done to devices.")
    parameters = None
    if kind == Kind.TAG:
        parameters = tagging.parameters(given.get("add", ""), given.get("remove", ""))
    actor: AbstractBaseUser | None = request.user if request.user.is_authenticated else None
    key = request.headers.get("Idempotency-Key") or None
    if "matching" in given:
        operation = bulk.on_all_that_match(
            kind, Filter.parse(QueryDict(given["matching"]), strict=True), _confirmed(given),
            actor=actor, parameters=parameters, idempotency_key=key,
        )
    else:
        operation = bulk.on_these(
            kind, _serials(given), actor=actor, parameters=parameters, idempotency_key=key
        )
    if not is_htmx(request):
        return redirect("devices")
    text = f"{words.doing(operation.kind, words.devices(operation.count))}."
    return toast(request, text, kind="done", operation=operation.id)


def _serials(given: QueryDict) -> list[str]:
    return list(dict.fromkeys(filter(None, given.get("serials", "").split(","))))


def _confirmed(given: QueryDict) -> int:
    number = given.get("confirmed", "")
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise BadRequest("Say how many devices were confirmed, as a whole number.")
    return int(number)
