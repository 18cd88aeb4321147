"""Django's command line for the fleet that bin/up started here, with the database it was given.

python -m fleetdash.deploy.manage COMMAND...
"""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from fleetdash.deploy import given, installation
from fleetdash.deploy.errors import DeployError


def main() -> int:
    """Run the command; its own faults end the process as it likes."""
    try:
        here = installation.of_environment()
        if given.read(here.var) is None:
            raise DeployError(f"No fleet was started in {here.var} yet: run bin/up first.")
        given.restore(here.var, os.environ)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
        execute_from_command_line(sys.argv)
    except (DeployError, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
