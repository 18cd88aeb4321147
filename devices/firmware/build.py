"""Building a firmware from Debian's packages and `guest/`: the same bytes for the same inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from devices.firmware import (
    artifact,
    boot_script,
    fit,
    guest_image,
    layout,
    pc_rom,
    uboot_env,
)
from devices.firmware.artifact import FirmwareImage
from devices.firmware.board import BOARDS, Board, board_of
from devices.firmware.errors import CorruptFirmware
from devices.firmware.packages import Package, PackageCache, sha256_of, umask
from devices.firmware.toolchain import Toolchain

PRODUCT = "fleetdash"
COMPRESSION = ("-comp", "lz4", "-Xhc", "-b", "131072")
ARCHITECTURES = tuple(BOARDS)
BOOTLOADERS = "usr/lib/u-boot"
_NAMESPACE = uuid.UUID("6f6c7d1c-7c0e-4b7e-9f0e-0a5a4c1f2d10")
_CHUNK_BYTES = 64 * 1024


def build_firmware(
    *,
    architecture: str,
    version: str,
    output: Path,
    cache: Path,
    progress: Callable[[str], None],
) -> FirmwareImage:
    """Build the firmware, or find the one already built from the same inputs.

    Writes `output/<sha256>/` in one move, readable by everybody. Without network it works from
    `cache`. Raises `PackageUnavailable` or `BuildFailed`.
    """
    board = board_of(architecture)
    with umask(0o022):
        packages = PackageCache(cache, architecture=architecture, progress=progress)
        fetched = packages.fetch(guest_image.words("packages.txt", board))
        tools = Toolchain.prepare(cache=cache, progress=progress)
        key = _key(version, fetched.values(), tools)
        output.mkdir(parents=True, exist_ok=True)
        known = _built(output, key)
        if known is not None:
            return known
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=output))
        try:
            return _build(board, folder, output, key, version, packages, fetched, tools, progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _build(
    board: Board,
    folder: Path,
    output: Path,
    key: str,
    version: str,
    packages: PackageCache,
    fetched: Mapping[str, Package],
    tools: Toolchain,
    progress: Callable[[str], None],
) -> FirmwareImage:
    unpacked, image = folder / "packages", folder / "image"
    image.mkdir()
    progress("unpacking the packages")
    for package in fetched.values():
        packages.unpack(package, unpacked)
    identifier = str(uuid.uuid5(_NAMESPACE, key))
    keys = {
        "uuid": identifier,
        "version": version,
        "product": PRODUCT,
        "platform": board.platform,
        "architecture": board.architecture,
    }
    progress("laying out the root file system")
    said = "".join(f"{name}={value}\n" for name, value in keys.items())
    guest_image.lay_out_root(
        folder / "root", unpacked, board=board, tools=tools, firmware=said
    )
    progress("packing the root file system")
    rootfs = folder / "rootfs.squashfs"
    guest_image.pack_root(folder / "root", rootfs, tools=tools, compression=COMPRESSION)
    kernel = fit.encode(
        board,
        kernel=guest_image.find_kernel(unpacked).read_bytes(),
        initramfs=guest_image.initramfs(unpacked, board),
        description=f"{PRODUCT} {version}",
        timestamp=0,
    )
    progress("writing the disk")
    arguments = guest_image.kernel_arguments(board)
    nerves = artifact.nerves_environment(keys, kernel_args=arguments)
    write_disk(
        image / artifact.DISK,
        disk_signature=uuid.UUID(identifier).int & 0xFFFFFFFF,
        environment=uboot_env.encode(nerves),
        kernel=kernel,
        rootfs=rootfs.read_bytes(),
    )
    _write_bootloader(image, unpacked, board, arguments)
    return _finish(image, output, key=key, keys=keys, packages=fetched)


def _write_bootloader(image: Path, unpacked: Path, board: Board, arguments: str) -> None:
    """The boot-loader and what it does, in its flash where there is one, else in its ROM."""
    loader = (unpacked / BOOTLOADERS / board.bootloader).read_bytes()
    variables = boot_script.environment(board, kernel_args=arguments)
    if board.environment_in_flash:
        flash = uboot_env.encode(variables, size=uboot_env.FLASH_BYTES)
        (image / artifact.ENVIRONMENT).write_bytes(flash)
    else:
        loader = pc_rom.with_environment(loader, variables)
    (image / artifact.BOOTLOADER).write_bytes(loader)


def write_disk(
    path: Path, *, disk_signature: int, environment: bytes, kernel: bytes, rootfs: bytes
) -> None:
    """A raw disk with slot A filled and slot B empty; runs of zeroes become holes."""
    layout.KERNEL["a"].check(len(kernel))
    layout.ROOTFS["a"].check(len(rootfs))
    with path.open("wb") as stream:
        for offset, content in (
            (0, layout.master_boot_record(disk_signature=disk_signature)),
            (layout.ENVIRONMENT.offset, environment),
            (layout.KERNEL["a"].offset, kernel),
            (layout.ROOTFS["a"].offset, rootfs),
        ):
            for start in range(0, len(content), _CHUNK_BYTES):
                chunk = content[start : start + _CHUNK_BYTES]
                if chunk.count(0) != len(chunk):
                    stream.seek(offset + start)
                    stream.write(chunk)
        stream.truncate(layout.DISK_BYTES)


def _finish(
    image: Path, output: Path, *, key: str, keys: Mapping[str, str], packages: Mapping[str, Package]
) -> FirmwareImage:
    files = {
        name: {"size": (image / name).stat().st_size, "sha256": sha256_of(image / name)}
        for name in artifact.FILES
        if (image / name).exists()
    }
    sha256 = str(files[artifact.DISK]["sha256"])
    manifest: dict[str, Any] = {
        "architecture": keys["architecture"],
        "version": keys["version"],
        "uuid": keys["uuid"],
        "sha256": sha256,
        "key": key,
        "slots": {"a": "filled", "b": "empty"},
        "files": files,
        "packages": {package.name: package.version for package in packages.values()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (image / artifact.MANIFEST).write_text(text, encoding="utf-8")
    for path in image.iterdir():
        path.chmod(0o644)
    image.chmod(0o755)
    target = output / sha256
    if target.exists():
        # The same disk from other inputs, or a damaged one: what was just built is whole.
        doomed = Path(tempfile.mkdtemp(prefix=".replaced-", dir=output))
        os.rename(target, doomed / sha256)
        shutil.rmtree(doomed, ignore_errors=True)
    os.rename(image, target)
    return artifact.load(target)


def _built(output: Path, key: str) -> FirmwareImage | None:
    for manifest in sorted(output.glob(f"*/{artifact.MANIFEST}")):
        try:
            image = artifact.load(manifest.parent)
        except CorruptFirmware:
            continue
        if image.manifest.get("key") == key:
            return image
    return None


def _key(version: str, packages: Iterable[Package], tools: Toolchain) -> str:
    """A fingerprint of everything the result depends on."""
    digest = hashlib.sha256()
    for package in packages:
        digest.update(f"{package.name}={package.version} {package.sha256}\n".encode())
    digest.update(f"{tools.key}\n{version}\n".encode())
    here = Path(__file__).resolve().parent
    for root in (guest_image.GUEST, here):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(root)
                executable = os.access(path, os.X_OK)
                digest.update(f"{name} {executable} {sha256_of(path)}\n".encode())
    return digest.hexdigest()
