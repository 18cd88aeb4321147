"""A built firmware in its folder, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.firmware import layout, uboot_env
from devices.firmware.board import BOARDS
from devices.firmware.errors import CorruptFirmware
from devices.firmware.packages import sha256_of

DISK = "disk.img"
BOOTLOADER = "u-boot.bin"
ENVIRONMENT = "u-boot-env.bin"
MANIFEST = "manifest.json"
FILES = (DISK, BOOTLOADER, ENVIRONMENT)


@dataclass(frozen=True)
class FirmwareImage:
    """A firmware: a disk with slot A filled, and the boot-loader that starts it.

    `environment` is the flash image of the boot-loader's environment, for boards that have one.
    """

    architecture: str
    version: str
    uuid: str
    sha256: str
    folder: Path
    disk: Path
    bootloader: Path
    environment: Path | None
    manifest: Mapping[str, Any]


def load(folder: Path, *, verify: bool = False) -> FirmwareImage:
    """The firmware in a folder named by its disk's SHA-256.

    Checks that every file is there and has its size; with `verify` also every hash, which reads
    the whole disk. Raises `CorruptFirmware`.
    """
    manifest = _manifest(folder)
    try:
        files = {
            name: (int(entry["size"]), str(entry["sha256"]))
            for name, entry in dict(manifest["files"]).items()
        }
        image = FirmwareImage(
            architecture=str(manifest["architecture"]),
            version=str(manifest["version"]),
            uuid=str(manifest["uuid"]),
            sha256=str(manifest["sha256"]),
            folder=folder,
            disk=folder / DISK,
            bootloader=folder / BOOTLOADER,
            environment=folder / ENVIRONMENT if ENVIRONMENT in files else None,
            manifest=manifest,
        )
        expected = {name: files[name] for name in _files_of(image.architecture)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFirmware(
            f"The firmware in {folder} has a manifest that lacks {error}: build it again."
        ) from error
    if image.sha256 != folder.name or image.sha256 != expected[DISK][1]:
        raise CorruptFirmware(
            f"The firmware in {folder} says it is {image.sha256}, which is not the folder's name "
            "and its disk's: build it again."
        )
    for name, (size, sha256) in expected.items():
        _check_file(folder / name, size=size, sha256=sha256 if verify else None)
    return image


def _files_of(architecture: str) -> tuple[str, ...]:
    """The boot-loader has its environment in flash, or else in its own ROM."""
    board = BOARDS.get(architecture)
    in_rom = board is not None and not board.environment_in_flash
    return (DISK, BOOTLOADER) if in_rom else FILES


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise CorruptFirmware(
            f"There is no firmware in {folder} ({MANIFEST}: {error.strerror}): build it again."
        ) from error
    except ValueError as error:
        raise CorruptFirmware(
            f"The firmware in {folder} has an unreadable {MANIFEST}: build it again."
        ) from error
    if not isinstance(manifest, dict):
        raise CorruptFirmware(f"The firmware in {folder} has no proper {MANIFEST}: build it again.")
    return manifest


def _check_file(path: Path, *, size: int, sha256: str | None) -> None:
    try:
        found = path.stat().st_size
        if found != size:
            raise CorruptFirmware(
                f"{path} has {found} bytes and should have {size}: build the firmware again."
            )
        if sha256 is not None and sha256_of(path) != sha256:
            raise CorruptFirmware(f"{path} does not match its SHA-256: build the firmware again.")
    except OSError as error:
        raise CorruptFirmware(
            f"{path} cannot be read ({error.strerror}): build the firmware again."
        ) from error


def nerves_environment(
    image_keys: Mapping[str, str], *, kernel_args: str, serial: str = ""
) -> dict[str, str]:
    """The Nerves variables of a disk whose slot A holds a firmware and whose slot B is empty."""
    variables = {
        "nerves_fw_active": "a",
        "nerves_fw_devpath": "/dev/vda",
        "nerves_serial_number": serial,
        "upgrade_available": "0",
        "bootcount": "0",
        "a.kernel_lba": str(layout.KERNEL["a"].first_block),
        "b.kernel_lba": str(layout.KERNEL["b"].first_block),
        "a.kernel_args": kernel_args,
    }
    variables |= {f"a.nerves_fw_{key}": value for key, value in image_keys.items()}
    return variables


def read_nerves_environment(disk: Path) -> dict[str, str]:
    """The Nerves variables on a raw disk; raises `BadEnvironment` when they are torn."""
    with disk.open("rb") as stream:
        stream.seek(layout.ENVIRONMENT.offset)
        return uboot_env.decode(stream.read(layout.ENVIRONMENT.size))
