"""What can be done to one device: when it means something, what it does, and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from devices.errors import BadRequest
from devices.live import words
from devices.models import Device, Operation, Target
from devices.services import acting, listing, tagging, verdicts
from devices.states import State
from devices.views.buttons import actor, answer, idempotency_key
from devices.views.sentences import is_htmx, says_errors, toast

Kind, Outcome = Operation.Kind, Target.Outcome


@dataclass(frozen=True, kw_only=True)
class Action:
    """A button of the device's page; `why_not` is empty while it can be pressed."""

    kind: str
    label: str
    question: str
    detail: str
    why_not: str


DETAILS: Mapping[str, str] = {
    Kind.REBOOT: "The device is asked to restart. It loses its connection for about a minute and "
    "comes back through its boot-loader; its disk stays.",
    Kind.SHUT_DOWN: "The device is asked to stop its programs, to write what it has in memory to "
    "its disk, and to end itself. It loses its connection; its disk and its place stay.",
    Kind.POWER_OFF: "The plug is pulled: its guest is ended at once, and what the device has not "
    "written to its disk is lost. It loses its connection; its disk and its place stay.",
    Kind.POWER_ON: "It starts through its boot-loader on the disk it has, and connects again.",
    Kind.REMOVE: "Its guest is ended, its connection is lost, its disk is deleted and its place is "
    "free. This cannot be undone.",
}
_ENDED = {State.STOPPING: "It is being removed.", State.GONE: "It is gone."}


def why_not(kind: str, state: State) -> str:
    """Why this cannot be done to a device in that state; empty when it can."""
    if state in _ENDED:
        return _ENDED[state]
    refused = None if kind == Kind.REMOVE else verdicts.verdict(kind, state)
    return refused.reason if refused else ""


def actions(device: Device) -> list[Action]:
    """The buttons of a device's page."""
    state = State(device.state)
    return [
        Action(
            kind=str(kind),
            label=words.verb(kind),
            question=f"{words.verb(kind)} {device.serial}?",
            detail=detail,
            why_not=why_not(kind, state),
        )
        for kind, detail in DETAILS.items()
    ]


@require_POST
@says_errors
def act(request: HttpRequest, serial: str, kind: str) -> HttpResponse:
    """Ask for one operation with one device."""
    if kind not in DETAILS and kind != Kind.TAG:
        raise BadRequest(f"“{kind[:40]}” is nothing that can be done to a device.")
    device = listing.device(serial)
    given = None
    if kind == Kind.TAG:
        given = tagging.parameters(
            add=request.POST.get("add", ""), remove=request.POST.get("remove", "")
        )
    operation = acting.request(
        kind, serials=[device.serial], parameters=given,
        actor=actor(request), idempotency_key=idempotency_key(request),
    )  # fmt: skip
    refused = operation.targets.exclude(outcome__in=(Outcome.PENDING, Outcome.DONE)).first()
    if refused is not None and is_htmx(request):  # it has moved since the page was drawn
        text = f"{device.serial}: {refused.reason}"
        return toast(request, text, kind="error", status=409, operation=operation.id)
    return answer(request, f"{words.doing(kind, device.serial)}.", operation)
