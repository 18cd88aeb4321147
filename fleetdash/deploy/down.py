"""bin/down: stops what bin/up started.

python -m fleetdash.deploy.down [--keep-guests]
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from fleetdash.deploy import installation, stopping
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.progress import Progress


def main() -> int:
    """What bin/down does."""
    parser = argparse.ArgumentParser(prog="bin/down", description="Stop fleetdash.")
    parser.add_argument("--keep-guests", action="store_true", help="let guests run on")
    keep_guests = parser.parse_args().keep_guests
    progress = Progress()
    try:
        here = installation.here(settings.BASE_DIR, settings.VAR_DIR)
        stopping.stop(here, progress, keep_guests=keep_guests)
    except (DeployError, ImproperlyConfigured) as error:
        print(f"\nbin/down: {error}", file=sys.stderr)
        return 1
    progress.line("fleetdash is down.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
