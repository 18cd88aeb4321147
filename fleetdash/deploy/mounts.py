"""The private mount namespace in which the processes see a checkout they could not enter."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fleetdash.deploy.installation import Installation

NOT_POSSIBLE = 97
_ENTER = Path(__file__).with_name("enter.sh")


def entering(installation: Installation) -> list[str]:
    """The words that, put before a command, make it run in the namespace."""
    return [
        "unshare", "--mount", "--propagation", "slave", "--", "sh", str(_ENTER),
        str(installation.checkout), str(installation.seen_checkout),
        str(installation.var), str(installation.seen_var),
    ]  # fmt: skip


def why_not(installation: Installation) -> str:
    """Why there can be no such namespace here, as the system says it; "" when there can."""
    try:
        tried = subprocess.run(
            [*entering(installation), "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return "unshare is missing (Debian's util-linux)"
    if tried.returncode == 0:
        return ""
    return tried.stderr.strip().rpartition("\n")[2] or f"exit status {tried.returncode}"


def others_can_enter(folder: Path) -> bool:
    """Whether every user of the machine may enter a folder, its parents included."""
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))
