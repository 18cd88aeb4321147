"""The guests of this machine, by their records."""

from __future__ import annotations

from pathlib import Path

from devices.qemu.guest_folder import GuestFolder


def recorded(var: Path) -> list[int]:
    """The process numbers of the guests that are running."""
    found = []
    for folder in sorted((var / "guests").iterdir()):
        identity = GuestFolder(folder).read_process()
        if identity is not None and identity.is_alive():
            found.append(identity.pid)
    return found
