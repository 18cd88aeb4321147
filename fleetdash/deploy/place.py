"""Where and as whom our processes run: words before a command, environment, interpreter."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleetdash.deploy import mounts
from fleetdash.deploy.installation import (
    CGROUP_VARIABLE,
    CHECKOUT_VARIABLE,
    ID_VARIABLE,
    MISSING_VARIABLE,
    NAMESPACE_VARIABLE,
    REAL_VAR_VARIABLE,
    USERS_VARIABLE,
    Installation,
)

_PREPARED = (USERS_VARIABLE, NAMESPACE_VARIABLE, CGROUP_VARIABLE, MISSING_VARIABLE)
_PASSED_ON = {"DATABASE_URL", "REDIS_URL", "LANG", "LC_ALL", "TZ", "TERM", "SSL_CERT_FILE"}


@dataclass(frozen=True)
class Place:
    """How to start a program where our processes run.

    `missing_protections` has a sentence for each thing that could not be had.
    """

    words: list[str]
    python: str
    environment: dict[str, str] = field(repr=False)
    missing_protections: list[str]

    def with_environment(self, **more: str) -> Place:
        """The same place with more variables set."""
        return replace(self, environment={**self.environment, **more})


def of(here: Installation) -> Place:
    """The place for this caller: as root one that the processes' own users can enter."""
    environment = _inherited()
    environment[CHECKOUT_VARIABLE] = str(here.checkout)
    environment[ID_VARIABLE] = here.id
    environment[REAL_VAR_VARIABLE] = str(here.var)
    environment["FLEETDASH_VAR"] = str(here.var)
    if os.geteuid() != 0:
        missing = [
            "All of our processes run as the user who started them and could read each other's "
            "secrets; run bin/up as root to keep them apart."
        ]
        return Place([], sys.executable, environment, missing)
    why_not = mounts.why_not(here)
    if not why_not:
        environment |= {"FLEETDASH_VAR": str(here.seen_var), USERS_VARIABLE: "1"}
        return Place(mounts.entering(here), _python_seen(here), environment, [])
    if mounts.others_can_enter(here.checkout) and mounts.others_can_enter(here.var):
        environment[USERS_VARIABLE] = "1"
        return Place([], sys.executable, environment, [])
    missing = [
        f"All of our processes run as root: their own users cannot enter {here.checkout}, and it "
        f"cannot be shown elsewhere ({why_not}); put it where every user may enter."
    ]
    return Place([], sys.executable, environment, missing)


def _python_seen(here: Installation) -> str:
    python = Path(sys.executable)
    if python.is_relative_to(here.checkout):
        return str(here.seen_checkout / python.relative_to(here.checkout))
    return str(python)


def _inherited() -> dict[str, str]:
    """What processes get of the caller's environment: settings, and what finds programs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("FLEETDASH_")
        or name.endswith(("_proxy", "_PROXY"))
        or name in _PASSED_ON
    }
    for name in _PREPARED:
        kept.pop(name, None)
    return kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
        "PYTHONUNBUFFERED": "1",
        # one heap for all threads: an arena for each costs more than it gives
        "MALLOC_ARENA_MAX": "2",
    }
