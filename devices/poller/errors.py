"""What can go wrong for the poller, as sentences."""

from __future__ import annotations


class PollerError(Exception):
    """Something the poller cannot do."""


class BadMessage(PollerError):
    """The worker said something the poller does not understand."""
