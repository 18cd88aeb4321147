"""Which firmware there is and where its image lies."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from devices.firmware import artifact
from devices.firmware.errors import CorruptFirmware
from devices.models import Firmware
from devices.states import State

_SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_of(architecture: str, sha256: str) -> Path:
    """Where the image of that hash lies; raises CorruptFirmware for what is no hash."""
    # a row is written by users with fewer rights than the worker, which opens what this names
    if not _SHA256.fullmatch(sha256):
        raise CorruptFirmware(f"{sha256[:80]!r} is not the SHA-256 of a firmware: build it again.")
    return Path(settings.VAR_DIR) / "firmware" / architecture / sha256


def register(folder: Path) -> Firmware:
    """Make a built image known, or known as the newest; raises CorruptFirmware."""
    image = artifact.load(folder)
    # imported_at says which is newest: a build that comes back is the one to use again
    firmware, _ = Firmware.objects.update_or_create(
        sha256=image.sha256,
        defaults={
            "architecture": image.architecture,
            "version": image.version,
            "uuid": image.uuid,
            "size_bytes": image.disk.stat().st_size,
            "imported_at": timezone.now(),
        },
    )
    return firmware


@lru_cache(maxsize=8)
def image(architecture: str, sha256: str) -> artifact.FirmwareImage:
    """The image, its hash checked once in this process; raises CorruptFirmware."""
    return artifact.load(folder_of(architecture, sha256), verify=True)


def in_use() -> list[dict[str, Any]]:
    """All firmware, newest first, with how many devices have it."""
    there = Count("device", filter=~Q(device__state=State.GONE))
    names = ("architecture", "version", "uuid", "sha256", "size_bytes", "imported_at")
    found = Firmware.objects.annotate(devices=there).order_by("-imported_at", "-id")
    return list(found.values(*names, "devices"))
