"""What this host's kernel lacks that makes devices dearer or launching blinder, as sentences.

Nothing of it keeps devices from running; what it costs is said on the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devices.host import ksm, psi, zram
from devices.services import bus

_of_processes: list[str] = []


def note(sentences: Iterable[str]) -> None:
    """Take what the kernel refused when the worker set how guests' memory is treated."""
    _of_processes[:] = sentences


def say(host_name: str) -> None:
    """Say what is lacking, for the page."""
    bus.keep_shortcomings(host_name, [*_of_processes, *found()])


def found(root: Path = Path("/")) -> list[str]:
    """What can be seen to be lacking without trying it."""
    lacking = []
    if ksm.read(root) is None:
        lacking.append(
            "This kernel has no KSM (CONFIG_KSM): what guests have in common is not merged, and "
            "fewer fit."
        )
    if zram.read(root) is None:
        lacking.append(
            "This kernel has no zram: what guests hardly use cannot be kept compressed "
            "(modprobe zram, then bin/up --zram)."
        )
    if psi.read(root) is None:
        lacking.append(
            "This kernel does not measure pressure (boot it with psi=1): launching goes by free "
            "memory and the run queue alone."
        )
    return lacking
