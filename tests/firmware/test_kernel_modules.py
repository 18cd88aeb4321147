from __future__ import annotations

import pytest

from devices.firmware import kernel_modules
from devices.firmware.errors import BuildFailed


def module(*needs: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0intree=Y\0"


MODULES = {
    "virtio_mmio": module("virtio", "virtio_ring"),
    "virtio": module("virtio_ring"),
    "virtio_ring": module(),
    "virtio_rng": module("virtio"),
    "a": module("b"),
    "b": module("a"),
}


def test_needed_first_and_once() -> None:
    order = kernel_modules.load_order(["virtio_mmio", "virtio-rng"], MODULES.__getitem__)
    assert order == ("virtio_ring", "virtio", "virtio_mmio", "virtio_rng")


def test_a_circle_is_refused() -> None:
    with pytest.raises(BuildFailed, match="a, b depend on each other"):
        kernel_modules.load_order(["a"], MODULES.__getitem__)


def test_no_dependencies() -> None:
    assert kernel_modules.dependencies(module()) == ()
    assert kernel_modules.dependencies(b"nothing said") == ()
