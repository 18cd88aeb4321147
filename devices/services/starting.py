"""Starts one device: what the row says, as a confined guest."""

from __future__ import annotations

import os
import pwd
import secrets
import time
from functools import cache
from pathlib import Path

from django.conf import settings

from devices.errors import Unavailable
from devices.host.architecture import normalise
from devices.models import Device, Host
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import BootloaderFiles, Confinement, Launch, StartedGuest
from devices.qemu.shape import Shape
from devices.qemu.spawn import spawn
from devices.qemu.spec import Architecture
from devices.services import firmware, guests

GUEST_USER = "fleetdash-guest"
# a guest's user network calls the loopback of its qemu 10.0.2.2
HOST_SEEN_BY_GUESTS = "10.0.2.2"
PORT_IN_NAMESPACE = 4000


@cache
def confinement() -> Confinement:
    """What keeps guests away from this host, as bin/up prepared it."""
    namespace = os.environ.get("FLEETDASH_GUEST_NAMESPACE")
    cgroup = os.environ.get("FLEETDASH_GUEST_CGROUP")
    user = pwd.getpwnam(GUEST_USER) if os.environ.get("FLEETDASH_USERS") else None
    return Confinement(
        network_namespace=Path(namespace) if namespace else None,
        uid=user.pw_uid if user else None,
        gid=user.pw_gid if user else None,
        cgroup=Path(cgroup) if cgroup else None,
    )


def gateway_address() -> str:
    """Where a guest finds the gateway."""
    confined = confinement().network_namespace is not None
    port = PORT_IN_NAMESPACE if confined else settings.GATEWAY_PORT
    return f"{HOST_SEEN_BY_GUESTS}:{port}"


def start(device: Device, host: Host) -> StartedGuest:
    """Start the device's guest here and now.

    Raises Unavailable when no accelerator is proven, CorruptFirmware, or the QemuError of
    `devices.qemu.spawn`.
    """
    architecture: Architecture = (
        "arm64" if normalise(device.firmware.architecture) == "arm64" else "x64"
    )
    proof = host.accelerators.get(architecture)
    if not proof or not proof.get("accelerator"):
        raise Unavailable(
            f"No accelerator is proven for {architecture} guests on {host.name}; run bin/up again."
        )
    image = firmware.image(architecture, device.firmware.sha256)
    return spawn(
        Launch(
            serial=device.serial,
            architecture=architecture,
            accelerator=proof["accelerator"],
            boot=BootloaderFiles(image.bootloader, image.environment),
            folder=GuestFolder(guests.folder(device.serial)),
            backing=image.disk,
            identity=Identity(
                serial=device.serial,
                mac=mac_for(device.id),
                hostname=device.serial,
                secret=device.secret,
                gateway=gateway_address(),
                time=int(time.time()),
                entropy=secrets.token_hex(32),
            ),
            shape=Shape(memory_mib=settings.DEVICE_MEMORY_MIB),
        ),
        confinement(),
    )
