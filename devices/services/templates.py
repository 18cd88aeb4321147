"""The templates of this host's clones, one for each architecture that has devices here.

Runs in the worker, which holds a template's memory open for its clones. While there is none,
devices start cold, and the page says why.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from devices.errors import FleetError
from devices.firmware.errors import FirmwareError
from devices.models import Device, Firmware, Host
from devices.qemu.errors import QemuError
from devices.qemu.guest_folder import NO_DEVICES, TEMPLATE, GuestFolder, no_device
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import Launch
from devices.qemu.template import Template, template_key
from devices.services import architectures, bus, guests, starting
from devices.services.starting import Outcome
from devices.services.template_keeper import Keeper, Status
from devices.states import LIVING

# guests without a row, in folders beside the others: bin/down ends them like any, sweeping leaves
# them to their keeper, which alone knows whether they are its own or a killed worker's
OWN_FOLDERS = NO_DEVICES

# until then additions count on it: clones are ready a moment after the first is asked for
AT_REST = "The template is on disk and is loaded when devices are added."

keepers = {architecture: Keeper(architecture) for architecture in architectures.ALL}


def folder_of_all() -> Path:
    """Where templates lie, root's only."""
    return Path(settings.VAR_DIR) / "templates"


def current(host: Host, firmware: Firmware) -> Template | None:
    """The template to clone from now; None while it is made or when it cannot be.

    The first call begins to load or make it in a thread of its own, and so does one that finds that
    its clones cannot be forked.
    """
    launch, key = _launch_and_key(host, firmware)
    return keepers[launch.architecture].current(host.name, launch, key)


def _launch_and_key(host: Host, firmware: Firmware) -> tuple[Launch, str]:
    launch = template_launch(host, firmware)
    return launch, template_key(launch, {"firmware": firmware.sha256})


def ready_keys() -> dict[str, str]:
    """The key of the template clones wake from now, for each architecture that has one."""
    ready = {architecture: keeper.ready for architecture, keeper in keepers.items()}
    return {name: template.key for name, template in ready.items() if template is not None}


def prepare(host_name: str) -> None:
    """Have templates at hand before the first device asks for one; let go of what nobody uses."""
    host = Host.objects.filter(name=host_name).first()
    for architecture, keeper in keepers.items():
        said = bus.template_status(host_name, architecture)
        if said is None:  # Redis was emptied
            keeper.say_again(host_name)
        if host is None:
            continue
        usual = architecture == architectures.DEFAULT
        starts = set() if usual else _starts(host, architecture)
        # it takes memory and half a minute of a core: an unusual one is made for clones only
        if not usual and Device.Start.WARM not in starts:
            keeper.release(in_use=bool(starts))
            if keeper.said is None:
                _say_at_rest(host, keeper, said)
        elif (firmware := architectures.newest_firmware(architecture)) is not None:
            _prepare(host, firmware, keeper)


def _say_at_rest(host: Host, keeper: Keeper, said: Mapping[str, Any] | None) -> None:
    """Say of a template that is not loaded what is so; `said` may be a former worker's word."""
    word = said and (said["state"], said["sentence"])
    if _is_on_disk(host, keeper):
        if word != ("ready", AT_REST):
            status = Status("ready", AT_REST, time.time())
            bus.keep_template_status(host.name, asdict(status), keeper.architecture)
    elif said is not None:
        bus.forget_template_status(host.name, keeper.architecture)


def _is_on_disk(host: Host, keeper: Keeper) -> bool:
    """Whether the template that new devices would be cloned from lies there to be loaded."""
    if not keeper.folder.is_dir():  # spares looking at the firmware
        return False
    firmware = architectures.newest_firmware(keeper.architecture)
    if firmware is None:
        return False
    try:
        _, key = _launch_and_key(host, firmware)
        return (keeper.folder / key).is_dir()
    except (FleetError, FirmwareError, QemuError, OSError):
        return False


def _starts(host: Host, architecture: str) -> set[str]:
    """How the devices of an architecture that are here were started."""
    rows = Device.objects.filter(host=host, state__in=LIVING, firmware__architecture=architecture)
    return set(rows.order_by().values_list("start", flat=True).distinct())


def _prepare(host: Host, firmware: Firmware, keeper: Keeper) -> None:
    try:
        ready = current(host, firmware) is not None
        if ready and keeper.said is not None and keeper.said.state == "failed":  # which has passed
            keeper.say(host.name, "ready", "Clones wake from a template.")
    except (FleetError, FirmwareError, QemuError, OSError) as error:
        keeper.say(host.name, "failed", f"Devices start cold: {error}")


def template_launch(host: Host, firmware: Firmware) -> Launch:
    """The launch of the device that becomes the template; raises as `starting.launch_of` does."""
    identity = Identity(
        serial=TEMPLATE,
        mac=mac_for(0),
        hostname=TEMPLATE,
        secret=secrets.token_urlsafe(32),
        gateway=starting.gateway_address(),
        time=int(time.time()),
        entropy=secrets.token_hex(32),
        template="1",
    )
    folder = GuestFolder(guests.folder(no_device(TEMPLATE, firmware.architecture)))
    return starting.launch_for(host, firmware, identity, folder, warm=True)


def discard(host_name: str, architecture: str, reason: str) -> None:
    """A template that went bad is made again; clones that run keep what they have."""
    keepers[architecture].discard(host_name, reason)


def clones_became(
    host_name: str, architecture: str, template: Template, outcomes: Sequence[Outcome]
) -> None:
    """Take in what became of a round of its clones: a bad template is made again."""
    keepers[architecture].clones_became(host_name, template, outcomes)


def distrust(host_name: str, architecture: str, woken_at: datetime) -> None:
    """Clones woken then never reported: their template is discarded if it is still in use."""
    if keepers[architecture].ready_at <= woken_at:
        discard(host_name, architecture, "No clone of the template reports in.")
