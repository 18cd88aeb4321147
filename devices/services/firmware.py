"""Which firmware there is and where its image lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from devices.firmware import artifact
from devices.models import Firmware


def folder_of(architecture: str, sha256: str) -> Path:
    """Where the image of that hash lies."""
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
