"""Collects the files of the page into `var/static`, when they are not there already."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = ".collected-from"


def collect(target: Path) -> None:
    """Collect and compress, unless the same files were collected before; needs Django set up."""
    wanted = fingerprint()
    stamp = target / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(wanted)


def fingerprint() -> str:
    """Changes when a file is added, removed, or changed in size or time, or kept in another way."""
    lines = [settings.STORAGES["staticfiles"]["BACKEND"] + "\n"]
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            lines.append(f"{name} {status.st_size} {status.st_mtime_ns}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
