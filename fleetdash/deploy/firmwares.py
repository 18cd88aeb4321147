"""Builds the firmware that devices of this machine run, one for each architecture wanted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devices.firmware.artifact import FirmwareImage
from devices.firmware.build import ARCHITECTURES, build_firmware
from devices.firmware.errors import FirmwareError
from devices.firmware.packages import umask
from devices.host.architecture import ARM64, of_this_machine
from fleetdash.deploy.errors import DeployError

VARIABLE = "FLEETDASH_ARCHITECTURES"
VERSION = "1.0.0"
# what `devices.firmware` names folders it works in
_UNFINISHED = ("*/.building-*", "*/.replaced-*")


def wanted(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The architectures devices are to be had of, arm64 first; raises DeployError.

    Without being told: arm64, which the fleet is made of, and what this machine could run without
    emulation. The other would cost a download and be slow.
    """
    given = environment.get(VARIABLE, "").replace(",", " ").split()
    unknown = sorted(set(given) - set(ARCHITECTURES))
    if unknown:
        raise DeployError(
            f"{VARIABLE} names {', '.join(unknown)}; use {' and '.join(ARCHITECTURES)}."
        )
    chosen = {ARM64, *(given or [of_this_machine()])}
    return [each for each in ARCHITECTURES if each in chosen]


def build_all(
    architectures: Sequence[str],
    *,
    output: Path,
    cache: Path,
    say: Callable[[str], None],
) -> dict[str, FirmwareImage]:
    """Build each, or find it built, at once; raises FirmwareError when arm64's cannot be had.

    Another that cannot be had is left out, and why is said. Nobody else may build in `output`
    meanwhile: what an interrupted build left there is removed.
    """
    for pattern in _UNFINISHED:
        for folder in output.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)
    # the mask is the whole process's: set here, none of them changes it under another
    with umask(0o022), ThreadPoolExecutor(len(architectures)) as pool:
        building = {
            each: pool.submit(
                build_firmware, architecture=each, version=VERSION, output=output / each,
                cache=cache, progress=say,
            )
            for each in architectures
        }
    images: dict[str, FirmwareImage] = {}
    for each, future in building.items():
        try:
            images[each] = future.result()
        except FirmwareError as error:
            if each == ARM64:
                raise
            say(f"no {each} devices: {error}")
    return images
