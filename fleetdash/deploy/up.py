"""bin/up: makes this machine ready, then has everything started where the processes will see it.

python -m fleetdash.deploy.up [--detach] [--zram [SIZE]]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from fleetdash.deploy import (
    cli_file,
    folders,
    follow,
    host_preparation,
    installation,
    ports,
    records,
    redis_conf,
    stopping,
    supervision,
    swap,
)
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.place import Place
from fleetdash.deploy.progress import Progress

SUPERVISOR_DEADLINE_S = 30.0
ANSWER_WITHIN_S = 15.0


def bring_up(here: Installation, progress: Progress, zram_bytes: int | None) -> None:
    """Everything up to the printed address, with a swap of that size; raises DeployError."""
    began = time.monotonic()
    as_root = os.geteuid() == 0
    progress.line(f"fleetdash starts in {here.checkout}")
    _end_silent_supervisor(here)
    with progress.step("Free ports"):
        orphans = [record for record in records.recorded(here.run) if record.is_alive()]
        ports.check(ours={record.pid for record in orphans})
    with progress.step("Users, network namespace, control group"):
        prepared = _prepare(here)
    with progress.step("Folders and secrets"):
        folders.make(here.var, as_root=as_root)
        folders.make_secret_key(here.var, as_root=as_root)
        _check_socket_path(prepared)
        (here.run / stopping.MARKER).unlink(missing_ok=True)
    swap.offer(here, progress, zram_bytes)
    if orphans:
        progress.line(f"  ({len(orphans)} processes of a supervisor that was killed are replaced)")
    inside = subprocess.run(
        [*prepared.words, prepared.python, "-m", "fleetdash.deploy.inside"],
        env=prepared.environment,
        cwd=here.checkout,
        check=False,
    )
    if inside.returncode != 0:
        sys.exit(inside.returncode)
    if prepared.missing_protections:
        progress.line("\nWithout these protections:")
        for sentence in prepared.missing_protections:
            progress.line(f"  - {sentence}")
    progress.line(f"\nUp after {time.monotonic() - began:.0f} s: {cli_file.read(here.var).url}")


def _prepare(here: Installation) -> Place:
    try:
        here.var.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeployError(
            f"The folder {here.var} cannot be made: {error.strerror}. "
            "Choose a folder you may write to with FLEETDASH_VAR."
        ) from None
    return host_preparation.prepare(here)


def _check_socket_path(prepared: Place) -> None:
    folder = Path(prepared.environment["FLEETDASH_VAR"])
    if not redis_conf.socket_path_fits(folder):
        raise DeployError(
            f"{folder} is too long a path for the sockets in it; choose a shorter one with "
            "FLEETDASH_VAR."
        )


def _end_silent_supervisor(here: Installation) -> None:
    """One that neither answers nor ends would start everything twice."""
    silent = supervision.living(here.run)
    if silent is not None and records.end([silent], deadline_s=SUPERVISOR_DEADLINE_S):
        raise DeployError(f"The supervisor (process {silent.pid}) hangs and cannot be ended.")


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
    progress = Progress()
    try:
        here = installation.here(settings.BASE_DIR, settings.VAR_DIR)
        zram_bytes = swap.wanted_bytes(options.zram)
        if supervision.answers(here.run, within_s=ANSWER_WITHIN_S):
            progress.line(f"fleetdash runs already: {cli_file.read(here.var).url}")
            if zram_bytes is not None:
                swap.offer(here, progress, zram_bytes)
            return 0
        bring_up(here, progress, zram_bytes)
        if not options.detach:
            follow.until_interrupted(here, progress)
            progress.line()
            stopping.stop(here, progress, keep_guests=False)
    except (DeployError, ImproperlyConfigured) as error:
        print(f"\nbin/up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbin/up: interrupted; bin/down stops what was started.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
