"""The second half of bin/up, run where the processes will run and see what they see.

python -m fleetdash.deploy.inside [--complete]
"""

from __future__ import annotations

import compileall
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

import django
from django.conf import settings

from devices.firmware.artifact import FirmwareImage
from devices.firmware.errors import FirmwareError
from devices.qemu.errors import QemuError
from fleetdash.deploy import (
    accelerators,
    cli_file,
    database,
    firmwares,
    guests,
    lock,
    processes,
    redis_conf,
    starts,
    static_files,
    supervision,
    waiting,
)
from fleetdash.deploy.errors import DeployError, sentence_of
from fleetdash.deploy.installation import MISSING_VARIABLE
from fleetdash.deploy.progress import Progress


def prepare_everything(var: Path, checkout: Path, progress: Progress) -> dict[str, Any]:
    """Build, prove, collect, migrate; gives what the database says. Raises DeployError."""
    architectures = firmwares.wanted()
    with progress.step(f"Firmware for {' and '.join(architectures)} guests"):
        images = firmwares.build_all(
            architectures, output=var / "firmware", cache=_cache(var), say=progress.say
        )
    with progress.step("Accelerators"):
        proofs = accelerators.proven(var, images, cache=_cache(var), say=progress.say)
    for architecture, proof in proofs.items():
        progress.line(f"    {architecture}: {accelerators.sentence(proof)}")
    with progress.step("Files for the page"):
        _precompile(checkout)
        static_files.collect(settings.STATIC_ROOT)
    with progress.step("Database"):
        answer = database.ask("prepare", _question(var, images, proofs))
        guests.gone_is_told(var)
    (var / "run" / "redis.conf").write_text(redis_conf.redis_conf(folder=var / "redis"))
    return answer


def start_everything(var: Path, checkout: Path, progress: Progress) -> None:
    """Prepare, start, wait; raises DeployError."""
    answer = prepare_everything(var, checkout, progress)
    wanted = processes.wanted(own_redis=not os.environ.get("REDIS_URL"))
    began = time.time()
    with progress.step("Supervisor"):
        text = supervision.configuration(var, checkout, wanted, as_root=os.geteuid() == 0)
        (var / "run" / "supervisord.conf").write_text(text)
        supervision.start(var, checkout)
        starts.allow_restarting(var / "run")
    with progress.step("Processes answer"):
        waiting.until_ready(var, [each.name for each in wanted], since=began)
    make_accounts(var, answer, progress)


def complete(var: Path, progress: Progress) -> None:
    """Go on with a start that had come as far as a supervisor; raises DeployError."""
    run = var / "run"
    supervisor = supervision.living(run)
    since = supervisor.started_at - 1.0 if supervisor else 0.0
    with progress.step("Processes answer"):
        waiting.until_ready(var, list(supervision.states(run)), since=since)
    make_accounts(var, {"has_admin": False, "token_works": False}, progress)


def _cache(var: Path) -> Path:
    return Path(os.environ.get("FLEETDASH_CACHE") or var / "cache")


def _precompile(checkout: Path) -> None:
    """The processes' own user may not write byte code; without it each starts a second later."""
    for package in ("fleetdash", "devices"):
        compileall.compile_dir(checkout / package, quiet=2)


def _question(
    var: Path, images: dict[str, FirmwareImage], proofs: dict[str, Any]
) -> dict[str, Any]:
    missing = os.environ.get(MISSING_VARIABLE, "")
    return {
        "accelerators": proofs,
        "missing_protections": [sentence for sentence in missing.split("\n") if sentence],
        "firmwares": [str(image.folder) for image in images.values()],
        "token": cli_file.read(var).token,
        "guests_ended": guests.are_ended(var),
    }


def make_accounts(var: Path, answer: dict[str, Any], progress: Progress) -> None:
    """The admin and bin/fleet's token, last: a password that was shown belongs to what runs.

    With them the start has come to its end.
    """
    url = cli_file.web_address(settings.BIND, settings.PORT)
    token = cli_file.read(var).token
    if not (answer["has_admin"] and answer["token_works"]):
        made = database.ask("accounts", {"token": token})
        token = made["token"] or token
        if made["password"]:
            progress.line()
            progress.line(f"  Log in as {database.ADMIN} with the password {made['password']}")
            progress.line("  It is shown this once and stored nowhere.")
    cli_file.write(var, cli_file.Access(url, token))
    starts.finish(var / "run")


def main() -> int:
    """Start everything; the sentence of what went wrong goes to standard error."""
    lock.share()
    django.setup()
    progress = Progress()
    try:
        if sys.argv[1:] == ["--complete"]:
            complete(settings.VAR_DIR, progress)
        else:
            start_everything(settings.VAR_DIR, settings.BASE_DIR, progress)
    except (DeployError, FirmwareError, QemuError) as error:
        print(f"\nbin/up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nbin/up: {sentence_of(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
