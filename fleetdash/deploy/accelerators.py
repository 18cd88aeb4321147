"""Proves by booting a guest what runs guests here, and remembers it in `var/accelerators.json`."""

from __future__ import annotations

import json
import os
import textwrap
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from devices.firmware.artifact import FirmwareImage
from devices.firmware.errors import FirmwareError
from devices.firmware.proof_guest import PROOF_LINE, build_proof_guest
from devices.host import architecture as host_architecture
from devices.qemu.accelerator import proof_key, prove
from devices.qemu.errors import AcceleratorUnproven, QemuError, QemuMissing
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import BootloaderFiles, KernelFiles, Launch
from devices.qemu.spec import Architecture
from devices.services.confined import confinement

FIRMWARE_SAYS = b"fleetdash: userland up"
X64_KERNEL_ARGUMENTS = "console=ttyS0 panic=-1"
REASON_SHOWN = 160
NOT_TRIED = "not tried"
# nobody listens there: a guest that only proves an accelerator has nothing to report
NO_GATEWAY = "10.0.2.2:9"

Say = Callable[[str], None]


def proven(
    var: Path, images: Mapping[str, FirmwareImage], *, cache: Path, say: Say
) -> dict[str, dict[str, Any]]:
    """What was proven for each architecture, now or before; one that nothing boots has a null
    `accelerator` and the reasons.

    What has a firmware proves it with that. Raises QemuError when arm64 guests, which the fleet is
    made of, cannot run at all.
    """

    def x64() -> dict[str, Any]:
        if "x64" in images:
            return _prove(_firmware(var, images["x64"]), expect=FIRMWARE_SAYS, say=say)
        return _prove(_small(var, cache, say), expect=PROOF_LINE.encode(), say=say)

    tries: dict[str, Callable[[], dict[str, Any]]] = {
        "arm64": lambda: _prove(_firmware(var, images["arm64"]), expect=FIRMWARE_SAYS, say=say),
        "x64": lambda: _or_reason(x64),
    }
    keys = {
        "arm64": proof_key("arm64", guest=images["arm64"].sha256),
        "x64": _x64_key(images.get("x64")),
    }
    known = _read(var)
    # at once: a guest that hangs on one takes as long as a slow one on the other
    with ThreadPoolExecutor(len(tries)) as pool:
        running = {
            name: pool.submit(attempt)
            for name, attempt in tries.items()
            if known.get(name, {}).get("key") != keys[name]
        }
        results = {name: future.result() for name, future in running.items()}
    for name, proof in results.items():
        known[name] = {"key": keys[name], "proof": proof}
    # what was not even tried, for want of a download for example, is tried the next time
    if results:
        _write(var, {n: p for n, p in known.items() if NOT_TRIED not in p["proof"]["refused"]})
    return {name: known[name]["proof"] for name in tries}


def sentence(proof: dict[str, Any]) -> str:
    """A proof as a person reads it; long reasons are cut, for the page has them whole."""
    refused = " ".join(
        f"{name}: {textwrap.shorten(why, REASON_SHOWN, placeholder=' …')}"
        for name, why in proof["refused"].items()
    )
    found = (
        f"{proof['accelerator']}, a guest came up in {proof['seconds']:.1f} s"
        if proof["accelerator"]
        else "none"
    )
    return f"{found}. Refused: {refused}" if refused else found


def _prove(launch: Launch, *, expect: bytes, say: Say) -> dict[str, Any]:
    host = host_architecture.normalise(os.uname().machine)
    proof = prove(
        launch,
        confinement(),
        host_architecture=cast(Architecture, host),
        expect=expect,
        progress=say,
    )
    return proof.to_json()


def _or_reason(attempt: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return attempt()
    except AcceleratorUnproven as error:
        return {"accelerator": None, "refused": {"all": str(error)}, "seconds": 0.0}
    except (QemuError, FirmwareError) as error:
        return {"accelerator": None, "refused": {NOT_TRIED: str(error)}, "seconds": 0.0}


def _firmware(var: Path, image: FirmwareImage) -> Launch:
    """A device of this firmware that nobody waits for."""
    serial = f"proof-{image.architecture}"
    return Launch(
        serial=serial,
        architecture=cast(Architecture, image.architecture),
        accelerator="tcg",
        boot=BootloaderFiles(image.bootloader, image.environment),
        folder=GuestFolder(var / "run" / serial),
        backing=image.disk,
        identity=Identity(
            serial=serial,
            mac=mac_for(0),
            hostname=serial,
            secret="0" * 43,
            gateway=NO_GATEWAY,
            time=int(time.time()),
            entropy="0" * 64,
        ),
    )


def _small(var: Path, cache: Path, say: Say) -> Launch:
    """A guest that does nothing but say that it is up."""
    guest = build_proof_guest(
        architecture="x64", cache=cache, output=var / "firmware" / "proof", progress=say
    )
    return Launch(
        serial="proof-x64",
        architecture="x64",
        accelerator="tcg",
        boot=KernelFiles(guest.kernel, guest.initramfs, X64_KERNEL_ARGUMENTS),
        folder=GuestFolder(var / "run" / "proof-x64"),
    )


def _x64_key(image: FirmwareImage | None) -> str:
    try:
        return proof_key("x64", guest="" if image is None else image.sha256)
    except QemuMissing:
        return "no qemu"


def _file(var: Path) -> Path:
    return var / "accelerators.json"


def _read(var: Path) -> dict[str, dict[str, Any]]:
    try:
        known: dict[str, dict[str, Any]] = json.loads(_file(var).read_text())
        return known
    except (OSError, ValueError):
        return {}


def _write(var: Path, known: dict[str, dict[str, Any]]) -> None:
    new = _file(var).with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(known, indent=1) + "\n")
    os.replace(new, _file(var))
