"""Guests to test with: a boot-loader without a disk, and a Linux that tries what it is told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.clone_loop import identity
from bench.clone_loop import launch as launch_clone
from devices.firmware import cpio
from devices.firmware.artifact import FirmwareImage
from devices.firmware.guest_image import find_kernel, module_files
from devices.firmware.packages import PackageCache
from devices.qemu import template
from devices.qemu.confinement import ensure_confinement, remove_cgroup, remove_namespace
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import BootloaderFiles, Confinement, KernelFiles, Launch
from devices.qemu.shape import Shape
from tests.fleet import CACHE

# of every template of these tests
KEY = "0" * 32
BOOTLOADER = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
BUSYBOX_WORDS = (
    "cat", "echo", "ifconfig", "insmod", "mount", "nc", "poweroff", "route", "sh", "sleep", "tr",
)  # fmt: skip

# Each word of `try=` is address:port; what answers is said to have been reached.
INIT = """#!/bin/sh
mount -t proc proc /proc
for module in $(cat /modules); do insmod /lib/$module; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
route add default gw 10.0.2.2
for word in $(cat /proc/cmdline); do
    case $word in try=*) targets=$(echo "${word#try=}" | tr , ' ') ;; esac
done
for target in $targets; do
    answer=$(echo "guest was here" | nc -w 4 "${target%:*}" "${target#*:}" 2>/dev/null)
    echo "tried $target: ${answer:-nothing}"
done
echo "all tried"
sleep 60
poweroff -f
"""


@pytest.fixture(scope="session")
def prober(tmp_path_factory: pytest.TempPathFactory) -> KernelFiles:
    """A Debian kernel and an initramfs that connects to what `try=` names and prints answers."""
    packages = PackageCache(CACHE, architecture="arm64", progress=lambda sentence: None)
    unpacked = tmp_path_factory.mktemp("unpacked")
    for package in packages.fetch(["linux-image-cloud-arm64*", "busybox-static"]).values():
        packages.unpack(package, unpacked)
    modules = module_files(unpacked, ["virtio_mmio", "virtio_net"])
    busybox = (unpacked / "bin" / "busybox").read_bytes()
    folder = tmp_path_factory.mktemp("prober")
    folder.chmod(0o755)
    kernel, initramfs = folder / "kernel", folder / "initramfs"
    kernel.write_bytes(find_kernel(unpacked).read_bytes())
    initramfs.write_bytes(
        cpio.encode(
            [
                *(cpio.directory(name) for name in ("bin", "dev", "lib", "proc")),
                cpio.character_device("dev/console", 5, 1),
                cpio.file("bin/busybox", busybox, executable=True),
                *(cpio.symlink(f"bin/{word}", "busybox") for word in BUSYBOX_WORDS),
                *(cpio.file(f"lib/{name}", content) for name, content in modules),
                cpio.file("modules", "\n".join(name for name, _ in modules).encode()),
                cpio.file("init", INIT.encode(), executable=True),
            ]
        )
    )
    return KernelFiles(kernel, initramfs, "console=ttyAMA0 quiet loglevel=3 panic=1")


@pytest.fixture
def confinement() -> Iterator[Confinement]:
    """All that this host can give, under names of its own."""
    name = f"fleetdash-test-{uuid.uuid4().hex[:8]}"
    confinement, _ = ensure_confinement(namespace=name, cgroup=name)
    yield confinement
    if confinement.network_namespace is not None:
        remove_namespace(name)
    if confinement.cgroup is not None:
        remove_cgroup(confinement.cgroup)


@pytest.fixture
def launch_of(tmp_path: Path) -> Iterator[Callable[[str], Launch]]:
    """Makes launches of guests that stop in their boot-loader; all are ended afterwards."""
    launches: list[Launch] = []

    def make(serial: str) -> Launch:
        launch = Launch(
            serial=serial, architecture="arm64", accelerator="tcg",
            boot=BootloaderFiles(BOOTLOADER), folder=GuestFolder(tmp_path / "guests" / serial),
        )  # fmt: skip
        launches.append(launch)
        return launch

    yield make
    for launch in launches:
        process = launch.folder.read_process()
        if process is not None:
            process.end(10.0)


@pytest.fixture(scope="session")
def shown_template(firmware: FirmwareImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a template whose clones print their first random bytes, to be loaded."""
    folder = tmp_path_factory.mktemp("shown")
    # its own gateway is never asked
    who = replace(identity(0, 9, template=True), template="shown")
    made = template.make(
        launch_clone(firmware, who, folder, Shape()), Confinement(), folder / KEY, key=KEY
    )
    made.close()
    return folder / KEY
