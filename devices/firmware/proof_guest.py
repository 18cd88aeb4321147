"""The smallest guest that proves an accelerator: Debian's kernel and a BusyBox that says so."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.firmware import cpio, guest_image
from devices.firmware.packages import PackageCache, debian_architecture, umask

PROOF_LINE = "fleetdash-proof-ok"
KERNEL = "vmlinuz"
INITRAMFS = "initramfs.cpio"


@dataclass(frozen=True)
class ProofGuest:
    """A kernel and an initramfs that print `fleetdash-proof-ok` on serial and power off."""

    kernel: Path
    initramfs: Path


def build_proof_guest(
    *, architecture: str, cache: Path, output: Path, progress: Callable[[str], None]
) -> ProofGuest:
    """Build the guest for `x64` or `arm64` in `output/<key>/`, or find it there.

    Without network it works from `cache`. Raises `PackageUnavailable` or `BuildFailed`.
    """
    with umask(0o022):
        packages = PackageCache(cache, architecture=architecture, progress=progress)
        kernel_package = f"linux-image-cloud-{debian_architecture(architecture)}*"
        fetched = packages.fetch([kernel_package, "busybox-static"])
        init = (guest_image.GUEST / "proof/init").read_bytes()
        digest = hashlib.sha256(init)
        for package in fetched.values():
            digest.update(package.sha256.encode())
        target = output / digest.hexdigest()
        guest = ProofGuest(kernel=target / KERNEL, initramfs=target / INITRAMFS)
        if guest.kernel.is_file() and guest.initramfs.is_file():
            return guest
        output.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=output))
        try:
            progress(f"building the {architecture} guest that proves an accelerator")
            for package in fetched.values():
                packages.unpack(package, folder / "packages")
            image = folder / "image"
            image.mkdir(mode=0o755)
            busybox = (folder / "packages/bin/busybox").read_bytes()
            (image / INITRAMFS).write_bytes(_initramfs(busybox, init))
            shutil.copyfile(guest_image.find_kernel(folder / "packages"), image / KERNEL)
            os.rename(image, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return guest


def _initramfs(busybox: bytes, init: bytes) -> bytes:
    return cpio.encode(
        [
            cpio.directory("bin"),
            cpio.directory("dev"),
            cpio.character_device("dev/console", 5, 1),
            cpio.file("bin/busybox", busybox, executable=True),
            *(
                cpio.symlink(f"bin/{name}", "busybox")
                for name in ("mount", "poweroff", "reboot", "sh")
            ),
            cpio.file("init", init, executable=True),
        ]
    )
