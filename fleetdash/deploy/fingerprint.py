"""What the fleet was started with, in `var/run/fingerprint.json`: hashes of settings and checkout.

A fleet that runs takes up neither; so bin/up can say what it would be started with now.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.conf import settings as django_settings

from fleetdash import env
from fleetdash.deploy import firmwares, folders, given
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import ID_VARIABLE, Installation
from fleetdash.deploy.progress import Progress

FILE = "fingerprint.json"
CHECKOUT = "the checkout"
TAKE_UP = "bin/down --keep-guests && bin/up --detach"

# what processes are made of; a device's programs among it
_TREES = ("devices", "fleetdash", "guest", "static", "templates")
_FILES = ("manage.py", "requirements.txt")
_COMPILED = "__pycache__"
# they say which fleet it is, not how it is
_NAMES_OF_THE_FLEET = ("FLEETDASH_VAR", ID_VARIABLE)


def settings() -> dict[str, str]:
    """The value that holds for each setting a fleet takes up when it starts.

    Raises DeployError for architectures that there are not.
    """
    values = env.values() | {firmwares.VARIABLE: ",".join(firmwares.wanted())}
    return {name: value for name, value in values.items() if name not in _NAMES_OF_THE_FLEET}


def write(here: Installation, values: Mapping[str, str]) -> None:
    """Write down that the fleet is started with these settings and the checkout as it is."""
    salt = secrets.token_hex(16)
    known = {
        "salt": salt,
        "settings": {name: _hash(salt, value) for name, value in values.items()},
        "checkout": _of_checkout(here.checkout),
    }
    folders.write_private(here.run / FILE, json.dumps(known) + "\n")


def changes(here: Installation, values: Mapping[str, str]) -> list[str]:
    """The names of settings that are others than the fleet was started with, and the checkout."""
    try:
        known = json.loads((here.run / FILE).read_text())
        salt, before, checkout = known["salt"], dict(known["settings"]), known["checkout"]
    except (OSError, ValueError, KeyError, TypeError):
        return [CHECKOUT]  # started by code that wrote nothing down
    found = sorted(
        name for name, value in values.items()
        if name in before and before[name] != _hash(salt, value)
    )  # fmt: skip
    return found if checkout == _of_checkout(here.checkout) else [*found, CHECKOUT]


def tell(here: Installation, progress: Progress) -> None:
    """Say of a fleet that runs what it does not take up, and what does that; raises DeployError."""
    found = changes(here, settings())
    if not found:
        return
    names = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    verb, them = ("is", "it") if len(found) == 1 else ("are", "them")
    progress.line(f"{names} {verb} not what this fleet was started with; it goes on as before.")
    try:
        given.check(here.var, django_settings.HOST_NAME)
    except DeployError as error:
        progress.line(str(error))
    else:
        progress.line(f"To take {them} up, with all settings given again; devices stay online:")
        progress.line(f"  {TAKE_UP}")


def _hash(salt: str, value: str) -> str:
    return hashlib.blake2b(value.encode(errors="surrogateescape"), key=salt.encode()).hexdigest()


def _of_checkout(checkout: Path) -> str:
    found = hashlib.sha256()
    for file in _files(checkout):
        content = file.read_bytes()
        found.update(f"{file.relative_to(checkout)}\n{len(content)}\n".encode(errors="replace"))
        found.update(content)
    return found.hexdigest()


def _files(checkout: Path) -> Iterator[Path]:
    for tree in _TREES:
        for folder, below, names in os.walk(checkout / tree):
            below[:] = sorted(set(below) - {_COMPILED})
            # what an editor leaves beside a file may be a link to nowhere
            yield from (file for name in sorted(names) if (file := Path(folder, name)).is_file())
    yield from (file for name in _FILES if (file := checkout / name).is_file())
