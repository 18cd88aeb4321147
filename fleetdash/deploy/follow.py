"""bin/up in the foreground: says what changes until Ctrl-C."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from fleetdash.deploy import cli_file, starts, supervision
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress

LOOK_EVERY_S = 2.0
# the page is on this machine: no proxy of the environment is to see the token
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def until_interrupted(here: Installation, progress: Progress, start: str) -> bool:
    """Print a line whenever processes or counts change until Ctrl-C; True then.

    False when that start of the fleet is over, which somebody else has seen to.
    """
    progress.line("Ctrl-C stops everything, guests too.")
    said = ("", "")
    try:
        while not starts.is_over(here.run, start):
            now = (_processes(here), _devices(here))
            if now != said:
                progress.line(time.strftime("%H:%M:%S  ") + "; ".join(part for part in now if part))
                said = now
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        return True
    return False


def _processes(here: Installation) -> str:
    states = supervision.states(here.run)
    if not states:
        return "the supervisor is away and will be started again"
    troubled = [f"{name} is {state}" for name, state in states.items() if state != "RUNNING"]
    return ", ".join(troubled) or f"{len(states)} processes run"


def _devices(here: Installation) -> str:
    access = cli_file.read(here.var)
    request = urllib.request.Request(
        f"{access.url}/api/v1/summary", headers={"Authorization": f"Bearer {access.token}"}
    )
    try:
        with _DIRECTLY.open(request, timeout=5) as answer:
            summary = json.load(answer)
        return f"{summary['online']} of {summary['total']} devices online"
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return "the page does not answer"
