"""A firmware to test with: the one the project runs, built when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.firmware.artifact import FirmwareImage
from devices.firmware.build import build_firmware
from fleetdash.deploy.firmwares import VERSION

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var/cache"


@pytest.fixture(scope="session")
def firmware() -> FirmwareImage:
    """The firmware of this tree."""
    return build_firmware(
        architecture="arm64",
        version="0.1.0",
        output=ROOT / "var/tests/firmware",
        cache=CACHE,
        progress=lambda _: None,
    )


@pytest.fixture(scope="session")
def x64_firmware() -> FirmwareImage:
    """The x64 firmware of this tree, where bin/up has it too."""
    return build_firmware(
        architecture="x64",
        version=VERSION,
        output=ROOT / "var/firmware/x64",
        cache=CACHE,
        progress=lambda _: None,
    )
