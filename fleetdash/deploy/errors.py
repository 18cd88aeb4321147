"""What can go wrong while fleetdash is put on a machine."""

from __future__ import annotations

import errno


class DeployError(Exception):
    """What happened, to what, and what to do."""


def sentence_of(error: OSError) -> str:
    """What the system refused, to what, and for a full disk what to do."""
    what = str(error.filename) if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{what and f' ({what})'}: free some space, then try again."
    if not error.strerror:
        return str(error)
    return f"{what}: {error.strerror}." if what else f"{error.strerror}."
