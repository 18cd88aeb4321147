"""Guests of another fleet's database, whose disks are not ours to remove.

A fleet that is started with another `DATABASE_URL`, or whose database was lost, finds guests that
it does not know. Its own strays are younger than its first device.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

from django.db.models import Min

from devices.models import Device
from devices.qemu.guest_folder import GuestFolder
from devices.services import guests

log = logging.getLogger(__name__)

_told: set[str] = set()


def among(host_name: str, serials: Iterable[str]) -> set[str]:
    """Those of these folders' serials that belong to another database's devices.

    No row knows them, and they hold a disk that was there before this database's first device on
    the host. That is logged once.
    """
    unknown = set(serials)
    if not unknown:
        return set()
    unknown -= set(
        Device.objects.filter(serial__in=unknown).values_list("serial", flat=True)
    )
    first = Device.objects.on(host_name).aggregate(at=Min("requested_at"))["at"]
    began = float("inf") if first is None else first.timestamp()
    found = {serial for serial in unknown if _disk_since(guests.folder(serial)) < began}
    if found - _told:
        _told.update(found)
        log.error(
            "Devices with a disk that this database does not know: %d, in %s. They are left alone."
            " If they are of another DATABASE_URL, stop with bin/down --keep-guests and start with"
            " that one; if nobody wants them any more, bin/down ends and removes them.",
            len(found), guests.guests_folder(),
        )
    return found


def _disk_since(folder: Path) -> float:
    """Since when, at least, a guest's disk has been there (Unix time); infinite without one."""
    if not GuestFolder(folder).overlay.is_file():
        return float("inf")
    # a disk is written all the time, what says which process uses it once
    written: list[float] = []
    for each in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            written.append(each.stat().st_mtime)
    return min(written, default=float("inf"))
