"""What a device's move means for the unfinished operations it belongs to; pure."""

from __future__ import annotations

from typing import NamedTuple

from devices.models import Operation, Target
from devices.states import State

Kind = Operation.Kind
Outcome = Target.Outcome

REMOVED = "It was removed."
POWERED_OFF = "It was powered off."


class Settled(NamedTuple):
    """How a target ends; an empty `reason` means that of the move."""

    outcome: str
    reason: str = ""


_DONE, _FAILED = Settled(Outcome.DONE), Settled(Outcome.FAILED)


def settled(kind: str, was: State, now: State) -> Settled | None:
    """How a pending target of an operation of that kind ends with such a move; None: it does not.

    A device that waits for its turn may come and go meanwhile: only what follows from the
    operation itself ends it.
    """
    if now in (State.STOPPING, State.GONE) and kind != Kind.REMOVE:
        # what never started is dropped by whoever cancels, and the move says so
        return Settled(Outcome.CANCELLED, "" if was is State.REQUESTED else REMOVED)
    if now is State.FAILED and kind != Kind.REMOVE:
        return _FAILED
    match kind, was, now:
        case Kind.REMOVE, _, State.GONE:
            return _DONE
        case (Kind.ADD | Kind.POWER_ON), _, State.ONLINE:
            return _DONE
        case (Kind.ADD | Kind.POWER_ON), (State.SPAWNING | State.BOOTING), State.OFF:
            return _FAILED
        case (Kind.ADD | Kind.POWER_ON), State.REQUESTED, State.OFF:
            return Settled(Outcome.CANCELLED)
        case (Kind.ADD | Kind.POWER_ON), _, (State.POWERING_OFF | State.OFF):
            return Settled(Outcome.CANCELLED, POWERED_OFF)
        case Kind.REBOOT, State.REBOOTING, State.ONLINE:
            return _DONE
        case Kind.REBOOT, State.REBOOTING, (State.OFFLINE | State.OFF):
            return _FAILED
        case Kind.REBOOT, _, State.POWERING_OFF:
            return Settled(Outcome.CANCELLED, POWERED_OFF)
        case Kind.REBOOT, _, State.OFF:
            return Settled(Outcome.CANCELLED)
        case (Kind.SHUT_DOWN | Kind.POWER_OFF), _, State.OFF:
            return _DONE
        case (Kind.SHUT_DOWN | Kind.POWER_OFF), State.POWERING_OFF, State.OFFLINE:
            return _FAILED
    return None
