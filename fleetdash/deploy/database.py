"""What bin/up does to the database, as the user the database belongs to.

    python -m fleetdash.deploy.database prepare|accounts    JSON in, JSON out

It runs as a process of its own, because a database file made by root could not be written by the
processes that need it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from fleetdash.deploy import installation, users
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.place import Place

ADMIN = "admin"
TOKEN_NAME = "bin/fleet on this machine"
PASSWORD_BYTES = 12


def ask(what: str, question: dict[str, Any], *, place: Place | None = None) -> dict[str, Any]:
    """Run a part of this module as the fleet's user; raises DeployError with its last words.

    `place` is where the processes run, when the caller is elsewhere.
    """
    words = [*place.words, place.python] if place else [sys.executable]
    done = subprocess.run(
        [*words, "-m", "fleetdash.deploy.database", what],
        env=place.environment if place else None,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-6:]
        raise DeployError("The database could not be asked; it said:\n" + "\n".join(said))
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def prepare(question: dict[str, Any]) -> dict[str, Any]:
    """Migrate, make host and firmware known; says whether an admin and bin/fleet's token exist.

    With `guests_ended` it also does what a bin/down could not do any more.
    """
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from devices.host import inventory
    from devices.services import firmware, hosts, tokens

    call_command("migrate", interactive=False, verbosity=0)
    if question["guests_ended"]:
        gone({})
    hosts.register(
        name=settings.HOST_NAME,
        inventory=inventory.take(),
        accelerators=question["accelerators"],
        missing_protections=question["missing_protections"],
    )
    for folder in question["firmwares"]:
        firmware.register(Path(folder))
    return {
        "has_admin": get_user_model().objects.filter(is_superuser=True).exists(),
        "token_works": tokens.user_for(question["token"]) is not None,
    }


def accounts(question: dict[str, Any]) -> dict[str, Any]:
    """Make the admin where there is none, and a token where bin/fleet's does not work.

    Gives what was made, which cannot be had again: password and token, each perhaps empty.
    """
    from django.contrib.auth import get_user_model

    from devices.services import tokens

    answer = {"password": "", "token": ""}
    model = get_user_model()
    admin = model.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if admin is None:
        answer["password"] = secrets.token_urlsafe(PASSWORD_BYTES)
        admin = model.objects.create_superuser(ADMIN, password=answer["password"])
    if tokens.user_for(question["token"]) is None:
        _, answer["token"] = tokens.create(admin, TOKEN_NAME)
    return answer


def gone(_question: dict[str, Any]) -> dict[str, Any]:
    """After bin/down: no device of this host is left, and what was set on it is put back.

    A database that has yet to be migrated is left as it is, and `waits` is true.
    """
    from django.conf import settings
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from devices.services import levers, reaping

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return {"devices": 0, "waits": True}
    levers.forget(settings.HOST_NAME)
    return {"devices": reaping.all_gone(settings.HOST_NAME), "waits": False}


PARTS = {"prepare": prepare, "accounts": accounts, "gone": gone}


def main() -> int:
    """Do the part named on the command line."""
    question = json.load(sys.stdin)
    if os.environ.get(installation.USERS_VARIABLE) and os.geteuid() == 0:
        users.become(installation.FLEET_USER)
    os.umask(0o027)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
    import django
    from django.db import DatabaseError, OperationalError

    django.setup()
    try:
        answer = PARTS[sys.argv[1]](question)
    except DatabaseError as error:
        # others are faults of ours, of which the place is wanted too
        if type(error) not in (OperationalError, DatabaseError):
            raise
        print(error, file=sys.stderr)
        return 1
    print("\n" + json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
