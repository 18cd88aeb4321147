from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from devices.qemu.argv import guest_argv
from devices.qemu.errors import BadShape
from devices.qemu.shape import Shape
from devices.qemu.spec import (
    Accelerator,
    Architecture,
    Bootloader,
    DirectKernel,
    Disk,
    GuestSpec,
    WarmStart,
)

SPEC = GuestSpec(
    serial="000000000001",
    uuid=UUID(int=7),
    mac="02:00:00:00:00:01",
    architecture="arm64",
    accelerator="tcg",
    boot=Bootloader(image_fd=3, environment_fd=4),
    qmp_fd=8,
    console_fd=9,
    disk=Disk(overlay_fd=5, backing_fd=6),
    identity_fd=7,
)

HANDS_BACK = Shape(free_page_reporting=True)


def values(argv: list[str], option: str) -> list[str]:
    return [argv[i + 1] for i, word in enumerate(argv) if word == option]


def test_an_arm64_guest_under_software_emulation() -> None:
    argv = guest_argv(SPEC)
    assert argv[0] == "qemu-system-aarch64"
    assert values(argv, "-machine") == ["virt,gic-version=2"]
    assert values(argv, "-cpu") == ["cortex-a53"]
    assert values(argv, "-accel") == ["tcg,tb-size=32"]
    assert values(argv, "-smp") == ["1"]
    assert values(argv, "-m") == ["128"]
    assert values(argv, "-bios") == ["/proc/self/fd/3"]
    assert "loader,file=/proc/self/fd/4,addr=0x4000000,force-raw=on" in values(argv, "-device")
    assert values(argv, "-fw_cfg") == ["name=opt/org.fleetdash/identity,file=/proc/self/fd/7"]
    assert values(argv, "-name") == ["guest=000000000001"]
    assert values(argv, "-uuid") == ["00000000-0000-0000-0000-000000000007"]


def test_the_sandbox_is_whole() -> None:
    (sandbox,) = values(guest_argv(SPEC), "-sandbox")
    assert sandbox == "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    assert "-sandbox" not in guest_argv(replace(SPEC, sandbox=False))


def test_nothing_is_opened_by_name() -> None:
    for word in guest_argv(SPEC)[1:]:
        for part in word.split(","):
            path = part.partition("=")[2] or part
            if path.startswith("/"):
                assert path.startswith(("/proc/self/fd/", "/dev/fdset/")), word


def test_the_disk_is_an_overlay_on_a_read_only_image() -> None:
    argv = guest_argv(SPEC)
    assert values(argv, "-add-fd") == ["fd=5,set=1", "fd=6,set=2"]
    nodes = {
        dict(p.split("=", 1) for p in node.split(","))["node-name"]: node
        for node in values(argv, "-blockdev")
    }
    assert "read-only=on" in nodes["backing"]
    assert "filename=/dev/fdset/2" in nodes["backing-file"]
    assert "read-only=on" in nodes["backing-file"]
    assert "backing=backing" in nodes["disk"]
    assert "virtio-blk-device,drive=disk" in values(argv, "-device")
    assert "-blockdev" not in guest_argv(replace(SPEC, disk=None))


@pytest.mark.parametrize(
    ("architecture", "accelerator", "machine", "cpu", "accel"),
    [
        ("arm64", "kvm", "virt,gic-version=host", "host", "kvm"),
        ("arm64", "hvf", "virt,gic-version=2", "host", "hvf"),
        ("x64", "kvm", "pc", "host", "kvm"),
        ("x64", "tcg", "pc", "qemu64", "tcg,tb-size=32"),
    ],
)
def test_each_accelerator_has_its_machine(
    architecture: Architecture, accelerator: Accelerator, machine: str, cpu: str, accel: str
) -> None:
    argv = guest_argv(
        replace(
            SPEC, architecture=architecture, accelerator=accelerator,
            boot=DirectKernel(3, 4, "quiet"),
        )  # fmt: skip
    )
    assert values(argv, "-machine") == [machine]
    assert values(argv, "-cpu") == [cpu]
    assert values(argv, "-accel") == [accel]
    suffix = "device" if architecture == "arm64" else "pci"
    assert f"virtio-rng-{suffix}" in values(argv, "-device")
    assert values(argv, "-append") == ["quiet"]


def test_a_cold_guest_may_hand_free_pages_back() -> None:
    balloon = "virtio-balloon-device,free-page-reporting=on"
    assert balloon not in values(guest_argv(SPEC), "-device")
    assert balloon in values(guest_argv(replace(SPEC, shape=HANDS_BACK)), "-device")


def test_a_warm_clone_never_discards_memory() -> None:
    argv = guest_argv(replace(SPEC, shape=HANDS_BACK, start=WarmStart(memory_fd=12)))
    assert not any("balloon" in word for word in argv)
    assert values(argv, "-incoming") == ["defer"]
    assert values(argv, "-machine") == ["virt,gic-version=2,memory-backend=ram"]
    (backend,) = values(argv, "-object")
    assert "share=off" in backend
    assert "mem-path=/proc/self/fd/12" in backend
    assert "size=128M" in backend


def test_the_environment_in_flash_is_the_arm64_boards() -> None:
    with pytest.raises(BadShape):
        guest_argv(replace(SPEC, architecture="x64"))
