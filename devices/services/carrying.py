"""Carries out on one host what was asked of devices that are there, in rounds.

Like launching it has no queue: a round takes what is pending, so one that was lost costs seconds.
"""

from __future__ import annotations

from devices.services import ordering, powering


def carry_out(host_name: str) -> None:
    """One round in the host's worker: end what is to be off, tell those whose turn it is."""
    powering.end(host_name)
    ordering.advance(host_name)
