"""bin/down: stops what bin/up started.

python -m fleetdash.deploy.down [--keep-guests]
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.core.exceptions import ImproperlyConfigured

from fleetdash.deploy import given, installation
from fleetdash.deploy.errors import DeployError, sentence_of
from fleetdash.deploy.progress import Progress


def _run(keep_guests: bool, progress: Progress) -> None:
    here = installation.of_environment()
    given.restore(here.var, os.environ)
    # this needs settings, which may be wrong
    from fleetdash.deploy import stopping

    stopping.stop(here, progress, keep_guests=keep_guests)


def main() -> int:
    """What bin/down does."""
    parser = argparse.ArgumentParser(prog="bin/down", description="Stop fleetdash.")
    parser.add_argument("--keep-guests", action="store_true", help="let guests run on")
    keep_guests = parser.parse_args().keep_guests
    progress = Progress()
    try:
        _run(keep_guests, progress)
    except (DeployError, ImproperlyConfigured) as error:
        print(f"\nbin/down: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nbin/down: {sentence_of(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbin/down: interrupted; another bin/down goes on with it.", file=sys.stderr)
        return 130
    progress.line("fleetdash is down.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
