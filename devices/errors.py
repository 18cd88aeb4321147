"""What can go wrong in front of a person, said as a sentence."""

from __future__ import annotations


class FleetError(Exception):
    """What happened, to what, and what to do; `status` is the fitting HTTP status."""

    status = 400


class BadRequest(FleetError):
    """What was asked cannot be understood."""

    status = 422


class BadSerial(FleetError):
    """A serial that names no device, and no folder of a guest."""

    status = 422


class DoesNotFit(FleetError):
    """More devices than the hosts can hold; `fits` says how many more can."""

    status = 409

    def __init__(self, sentence: str, *, fits: int) -> None:
        super().__init__(sentence)
        self.fits = fits


class Conflict(FleetError):
    """The thing is not in a state in which this can be done."""

    status = 409


class NotFound(FleetError):
    """There is no such thing."""

    status = 404


class Unavailable(FleetError):
    """A part that is needed does not answer."""

    status = 503
