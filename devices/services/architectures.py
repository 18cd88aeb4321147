"""The architectures devices can be of, and what runs them where."""

from __future__ import annotations

from devices.errors import BadRequest
from devices.host.architecture import ARM64, X64
from devices.models import Firmware, Host

ALL = (ARM64, X64)
# what a device is where nobody says which
DEFAULT = ARM64


def check(architecture: object) -> str:
    """The architecture, if it is one; raises BadRequest otherwise."""
    if architecture not in ALL:
        raise BadRequest(f"A device is {' or '.join(ALL)}, not {str(architecture)[:40]!r}.")
    return str(architecture)


def newest_firmware(architecture: str) -> Firmware | None:
    """What a new device of an architecture runs; None when nothing was built for it."""
    return Firmware.objects.filter(architecture=architecture).first()


def with_firmware() -> list[str]:
    """The architectures that devices can be added of, the usual one first."""
    built = set(Firmware.objects.order_by().values_list("architecture", flat=True).distinct())
    return [architecture for architecture in ALL if architecture in built]


def runs(host: Host, architecture: str) -> bool:
    """Whether a guest of that architecture has booted on a host."""
    proof = host.accelerators.get(architecture)
    return bool(proof and proof.get("accelerator"))
