"""Which devices an action makes sense for, and what is said of the others; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from devices.models import Operation, Target
from devices.states import GRAPH, State

Kind = Operation.Kind


class Verdict(NamedTuple):
    """How a target of an action ends at once: CANCELLED where there is nothing to do."""

    outcome: str
    reason: str


def _left_out(reason: str) -> Verdict:
    return Verdict(Target.Outcome.CANCELLED, reason)


def _cannot(reason: str) -> Verdict:
    return Verdict(Target.Outcome.FAILED, reason)


# a running guest can be ended whatever it is doing
POWERABLE = tuple(state for state in State if State.POWERING_OFF in GRAPH[state].leads_to)

_STARTING = (State.REQUESTED, State.SPAWNING, State.BOOTING)
_ENDED = {
    State.STOPPING: _left_out("It is being removed."),
    State.GONE: _left_out("It is gone."),
    State.FAILED: _cannot("It has failed, and can only be removed."),
}
_TOLD = {
    **_ENDED,
    **dict.fromkeys(_STARTING, _cannot("It is still starting: ask again once it is online.")),
    State.OFFLINE: _cannot("It is offline and cannot be told: power it off, and then on again."),
    State.REBOOTING: _cannot("It is rebooting: ask again once it is online."),
    State.UPDATING: _cannot("It is updating: ask again once it is online."),
    State.POWERING_OFF: _cannot("It is powering off: ask again once it is off."),
}
_BY_KIND: Mapping[str, Mapping[State, Verdict]] = {
    Kind.REBOOT: {
        **_TOLD,
        State.REBOOTING: _left_out("It is rebooting already."),
        State.OFF: _cannot("It is off: power it on instead."),
    },
    Kind.SHUT_DOWN: {
        **_TOLD,
        State.POWERING_OFF: _left_out("It is powering off already."),
        State.OFF: _left_out("It is off already."),
    },
    Kind.POWER_OFF: {**_ENDED, State.OFF: _left_out("It is off already.")},
    Kind.POWER_ON: {
        **dict.fromkeys(State, _left_out("It is on already.")),
        **dict.fromkeys(_STARTING, _left_out("It is starting already.")),
        State.POWERING_OFF: _TOLD[State.POWERING_OFF],
        **_ENDED,
    },
    Kind.TAG: {},
}
# the one state of a device that the action is for; POWER_OFF is for every other
_FOR = {Kind.REBOOT: State.ONLINE, Kind.SHUT_DOWN: State.ONLINE, Kind.POWER_ON: State.OFF}


def verdict(kind: str, state: State) -> Verdict | None:
    """Why an action comes to nothing on a device in that state; None when it makes sense."""
    if _FOR.get(Kind(kind)) is state:
        return None
    return _BY_KIND[kind].get(state)
