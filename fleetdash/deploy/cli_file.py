"""`var/secrets/cli.json`: where bin/fleet finds the address and its token; root's only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from fleetdash.deploy import folders


class Access(NamedTuple):
    """The web address, and a token for it."""

    url: str
    token: str


def path_of(var: Path) -> Path:
    """Where it lies."""
    return var / "secrets" / "cli.json"


def read(var: Path) -> Access:
    """What was written last; empty when there is nothing."""
    try:
        known = json.loads(path_of(var).read_text())
        return Access(str(known["url"]), str(known["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Access("", "")


def write(var: Path, access: Access) -> None:
    """Write it, readable by the owner only."""
    if read(var) != access:
        folders.write_private(path_of(var), json.dumps(access._asdict()) + "\n")


def web_address(bind: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
