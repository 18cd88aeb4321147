"""What a device's row says, as a confined guest's launch."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings

from devices.errors import FleetError, Unavailable
from devices.firmware.errors import FirmwareError
from devices.host.architecture import normalise
from devices.models import Device, Firmware, Host
from devices.qemu.clone import clone_many
from devices.qemu.errors import QemuError
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import BootloaderFiles, Launch, StartedGuest
from devices.qemu.shape import Shape
from devices.qemu.spawn import spawn
from devices.qemu.spec import Architecture
from devices.qemu.template import Template
from devices.services import firmware, guests
from devices.services.confined import confinement

# a guest's user network calls the loopback of its qemu 10.0.2.2
HOST_SEEN_BY_GUESTS = "10.0.2.2"
PORT_IN_NAMESPACE = 4000

COLD_SHAPE = Shape(memory_mib=settings.DEVICE_MEMORY_MIB)
# a clone never hands memory back: what it could give is its template's
WARM_SHAPE = replace(COLD_SHAPE, free_page_reporting=False)


def gateway_address() -> str:
    """Where a guest finds the gateway."""
    confined = confinement().network_namespace is not None
    port = PORT_IN_NAMESPACE if confined else settings.GATEWAY_PORT
    return f"{HOST_SEEN_BY_GUESTS}:{port}"


Outcome = StartedGuest | QemuError | FirmwareError | FleetError | OSError


def start_all(
    devices: Sequence[Device],
    host: Host,
    template: Template | None,
    begun: Callable[[str], None] = lambda serial: None,
) -> dict[str, Outcome]:
    """Start these devices' guests now, as clones when a template is given, else cold.

    What became of each, by serial: its guest, or why it was not started. `begun` is told of each
    before it has much to say.
    """
    launches: list[Launch] = []
    outcomes: dict[str, Outcome] = {}
    for device in devices:
        try:
            launches.append(launch_of(device, host, warm=template is not None))
        except (FleetError, FirmwareError, OSError) as error:
            outcomes[device.serial] = error
    if template is not None:
        return {**outcomes, **clone_many(launches, template, confinement(), begun=begun)}
    for launch in launches:
        begun(launch.serial)
        try:
            outcomes[launch.serial] = spawn(launch, confinement())
        except (QemuError, OSError) as error:
            outcomes[launch.serial] = error
    return outcomes


def has_disk(device: Device) -> bool:
    """Whether a device that is to start has been on before and starts again from its own disk."""
    return bool(device.boot_id)


def launch_of(device: Device, host: Host, *, warm: bool) -> Launch:
    """What is needed to start a device, again from its own disk if it has one.

    Raises as `launch_for` does.
    """
    identity = Identity(
        serial=device.serial,
        mac=mac_for(device.id),
        hostname=device.serial,
        secret=device.secret,
        gateway=gateway_address(),
        time=int(time.time()),
        entropy=secrets.token_hex(32),
    )
    folder = GuestFolder(guests.folder(device.serial))
    launch = launch_for(host, device.firmware, identity, folder, warm=warm)
    return replace(launch, keep_disk=has_disk(device))


def launch_for(
    host: Host, of: Firmware, identity: Identity, folder: GuestFolder, *, warm: bool
) -> Launch:
    """A launch of that firmware on that host.

    Raises Unavailable when no accelerator is proven, or CorruptFirmware.
    """
    architecture: Architecture = "arm64" if normalise(of.architecture) == "arm64" else "x64"
    proof = host.accelerators.get(architecture)
    if not proof or not proof.get("accelerator"):
        raise Unavailable(
            f"No accelerator is proven for {architecture} guests on {host.name}: "
            f"/hosts/{host.name}/ says why."
        )
    image = firmware.image(architecture, of.sha256)
    return Launch(
        serial=identity.serial,
        architecture=architecture,
        accelerator=proof["accelerator"],
        boot=BootloaderFiles(image.bootloader, image.environment),
        folder=folder,
        backing=image.disk,
        identity=identity,
        shape=WARM_SHAPE if warm else COLD_SHAPE,
        cpu_model=proof.get("cpu_model"),
    )


def relaunched(launch: Launch, identity: Identity, folder: GuestFolder) -> Launch:
    """The same launch as somebody else, in another folder."""
    return replace(launch, serial=identity.serial, identity=identity, folder=folder)
