"""bin/up: makes this machine ready, then has everything started where the processes will see it.

python -m fleetdash.deploy.up [--detach] [--zram [SIZE]]
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.core.exceptions import ImproperlyConfigured

from fleetdash.deploy import installation, lock, swap
from fleetdash.deploy.errors import DeployError, sentence_of
from fleetdash.deploy.progress import Progress


def _run(options: argparse.Namespace, progress: Progress) -> None:
    here = installation.of_environment()
    # these need settings, which may be wrong
    from fleetdash.deploy import bringing_up, fingerprint, follow, stopping

    zram_bytes = swap.wanted_bytes(options.zram)
    with lock.held(here.var) as lock_fd:
        if bringing_up.runs(here):
            fingerprint.tell(here, progress)
            bringing_up.complete(here, progress, lock_fd)
            if zram_bytes is not None:
                swap.offer(here, progress, zram_bytes)
            return
        start = bringing_up.bring_up(here, progress, zram_bytes, lock_fd)
    if options.detach:
        return
    if follow.until_interrupted(here, progress, start):
        progress.line()
        stopping.stop(here, progress, keep_guests=False, start=start)
    else:
        progress.line(stopping.BY_SOMEBODY_ELSE)


def main() -> int:
    """What bin/up does after it has made the virtual environment."""
    parser = argparse.ArgumentParser(prog="bin/up", description="Start fleetdash.")
    parser.add_argument("--detach", action="store_true", help="return once everything is up")
    parser.add_argument(
        "--zram", nargs="?", const=swap.USUAL_SIZE, metavar="SIZE",
        help="make a swap in compressed memory where there is none: 8G, or 50%% of the memory",
    )  # fmt: skip
    options = parser.parse_args()
    os.umask(0o022)
    try:
        _run(options, Progress())
    except (DeployError, ImproperlyConfigured) as error:
        print(f"\nbin/up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nbin/up: {sentence_of(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbin/up: interrupted; bin/down stops what was started.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
