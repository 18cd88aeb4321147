"""What can go wrong while fleetdash is put on a machine."""

from __future__ import annotations


class DeployError(Exception):
    """What happened, to what, and what to do."""
