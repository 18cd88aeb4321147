"""What bin/up was given that says which fleet this is, in `var/secrets/given.json`, root's only.

bin/down, typed in another shell, speaks to the database that bin/up spoke to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import dj_database_url

from fleetdash.deploy import folders, guests
from fleetdash.deploy.errors import DeployError

_HOST = "FLEETDASH_HOST"
_DATABASE = "DATABASE_URL"
_GATEWAY_PORT = "FLEETDASH_GATEWAY_PORT"
# the settings' own: they may not be read here yet
_USUAL_PORT = 4000
_NAMES = (
    _DATABASE,
    "REDIS_URL",
    "FLEETDASH_BIND",
    "FLEETDASH_PORT",
    "FLEETDASH_GATEWAY_BIND",
    _GATEWAY_PORT,
)


def path_of(var: Path) -> Path:
    """Where it lies."""
    return var / "secrets" / "given.json"


def read(var: Path) -> dict[str, str] | None:
    """What the last bin/up was given, by variable; None when there was none that wrote it down."""
    try:
        known = json.loads(path_of(var).read_text())
        return {str(name): str(value) for name, value in known.items()}
    except (OSError, ValueError, AttributeError):
        return None


def write(var: Path, host_name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Write down what this bin/up was given, and what the host is called."""
    known = {name: environment[name] for name in _NAMES if environment.get(name)}
    folders.write_private(path_of(var), json.dumps({**known, _HOST: host_name}) + "\n")


def restore(var: Path, environment: MutableMapping[str, str]) -> None:
    """Make an environment say what the last bin/up was given; as it is where that is not known."""
    known = read(var)
    if known is not None:
        for name in (*_NAMES, _HOST):
            environment.pop(name, None)
        environment.update(known)


def check(var: Path, host_name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse to start guests' devices with a database, or as a host, that does not know them.

    So it does with a port of the gateway that those which run do not call. Raises DeployError.
    Where there is no device, anything may be chosen anew.
    """
    known = read(var)
    if known is None or not guests.has_devices(var):
        return
    before, now = (_database(var, each.get(_DATABASE, "")) for each in (known, environment))
    if before != now:
        raise DeployError(
            f"The devices in {var}/guests belong to the database {before}, and {_DATABASE} names "
            f"{now}. {_set_again(_DATABASE, known)}, or end these devices with bin/down."
        )
    if known.get(_HOST, host_name) != host_name:
        raise DeployError(
            f"The devices in {var}/guests belong to the host {known[_HOST]}, and this machine is "
            f"called {host_name} now. Set {_HOST}={known[_HOST]}, or end these devices with "
            "bin/down."
        )
    called, heard = (int(each.get(_GATEWAY_PORT) or _USUAL_PORT) for each in (known, environment))
    if called != heard and guests.on_this_loopback(var):
        raise DeployError(
            f"The devices that run call port {called} of this machine, and {_GATEWAY_PORT} is "
            f"{heard} now. Set {_GATEWAY_PORT}={called}, or end these devices with bin/down."
        )


def _set_again(name: str, known: Mapping[str, str]) -> str:
    return f"Set {name} as before" if known.get(name) else f"Unset {name}"


def _database(var: Path, url: str) -> str:
    """A database as people may see it: without user and password, which may change."""
    parsed: Mapping[str, Any] = dj_database_url.parse(
        url or f"sqlite:///{var}/db/fleetdash.sqlite3"
    )
    host, port = parsed.get("HOST") or "", parsed.get("PORT") or ""
    place = f" on {host}{port and f':{port}'}" if host else ""
    return f"{parsed['NAME']}{place}"
