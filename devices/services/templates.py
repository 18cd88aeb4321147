"""The template of this host's clones: made once, loaded again, made anew when it went bad.

Runs in the worker, which holds the template's memory open for its clones. While there is none,
devices start cold, and the page says why.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from devices.errors import FleetError
from devices.firmware.errors import FirmwareError
from devices.models import Firmware, Host
from devices.qemu.clone import clone
from devices.qemu.errors import BadTemplate, QemuError
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import Launch
from devices.qemu.template import Template, load, make, template_key
from devices.services import bus, guests, starting, trial_gateway

log = logging.getLogger(__name__)

# guests without a row, in folders beside the others: sweeping and bin/down end them like any stray
TEMPLATE = "template"
TRIAL = "trial"
RETRY_S = 300.0
CHECK_DEADLINE_S = 30.0

_lock = threading.Lock()
_ready: Template | None = None
_making: threading.Thread | None = None
_failed_at = float("-inf")


@dataclass(frozen=True)
class Status:
    """How the template is: `making`, `ready` or `failed`, and a sentence about it."""

    state: str
    sentence: str
    at: float


def status(host_name: str) -> dict[str, Any] | None:
    """The last word of a host about its template; None when it has said none."""
    return bus.template_status(host_name)


def _say(host_name: str, state: str, sentence: str) -> None:
    log.info("template: %s", sentence)
    bus.keep_template_status(host_name, asdict(Status(state, sentence, time.time())))


def folder_of_all() -> Path:
    """Where templates lie, root's only."""
    return Path(settings.VAR_DIR) / "templates"


def current(host: Host, firmware: Firmware) -> Template | None:
    """The template to clone from now; None while it is made or when it cannot be.

    The first call begins to load or make it in a thread of its own.
    """
    global _making
    launch = template_launch(host, firmware)
    key = template_key(launch, {"firmware": firmware.sha256})
    with _lock:
        if _ready is not None and _ready.key == key:
            return _ready
        idle = _making is None or not _making.is_alive()
        if idle and time.monotonic() - _failed_at >= RETRY_S:
            _making = threading.Thread(
                target=_provide, args=(host.name, launch, key), name="template", daemon=True
            )
            _making.start()
    return None


def in_hand() -> set[str]:
    """The folders of guests that this process is making a template with right now."""
    making = _making
    return {TEMPLATE, TRIAL} if making is not None and making.is_alive() else set()


def prepare(host_name: str) -> None:
    """Have the template at hand before the first device asks for it."""
    host = Host.objects.filter(name=host_name).first()
    firmware = Firmware.objects.filter(architecture="arm64").first()
    if host is not None and firmware is not None:
        try:
            current(host, firmware)
        except (FleetError, FirmwareError, QemuError, OSError) as error:
            _say(host_name, "failed", f"Devices start cold: {error}")


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
    folder = GuestFolder(guests.folder(TEMPLATE))
    return starting.launch_for(host, firmware, identity, folder, warm=True)


def discard(host_name: str, reason: str) -> None:
    """A template that went bad is made again; clones that run keep what they have."""
    global _ready
    with _lock:
        bad, _ready = _ready, None
    if bad is not None:
        shutil.rmtree(bad.folder, ignore_errors=True)
        bad.close()
        _say(host_name, "failed", f"{reason} It is made again; devices start cold meanwhile.")


def _provide(host_name: str, launch: Launch, key: str) -> None:
    global _ready, _failed_at
    began = time.monotonic()
    folder = folder_of_all() / key
    try:
        template = _loaded(folder, key) or _made(host_name, launch, folder, key)
    except (QemuError, FirmwareError, FleetError, OSError) as error:
        _failed_at = time.monotonic()
        _say(host_name, "failed", f"Devices start cold: {error}")
        return
    with _lock:
        former, _ready = _ready, template
    if former is not None:
        former.close()
    for other in folder_of_all().iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    took_s = time.monotonic() - began
    _say(host_name, "ready", f"Clones wake from a template that was ready in {took_s:.1f} s.")


def _loaded(folder: Path, key: str) -> Template | None:
    if not folder.is_dir():
        return None
    try:
        return load(folder, key=key)
    except BadTemplate as error:
        log.warning("%s", error)
        return None


def _made(host_name: str, launch: Launch, folder: Path, key: str) -> Template:
    confinement = starting.confinement()
    template = make(
        launch, confinement, folder, key=key,
        progress=lambda step: _say(host_name, "making", f"{step[:1].upper()}{step[1:]}."),
    )
    _say(host_name, "making", "Checking the template by a clone.")
    try:
        _check(launch, template)
    except BaseException:
        template.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return template


def _check(launch: Launch, template: Template) -> None:
    """A clone must report in; raises BadTemplate."""
    with trial_gateway.listening(starting.confinement().network_namespace) as gateway:
        identity = Identity(
            serial=TRIAL,
            mac=mac_for(1),
            hostname=TRIAL,
            secret=secrets.token_urlsafe(32),
            gateway=f"{starting.HOST_SEEN_BY_GUESTS}:{gateway.port}",
            time=int(time.time()),
            entropy=secrets.token_hex(32),
        )
        folder = GuestFolder(guests.folder(TRIAL))
        trial = starting.relaunched(launch, identity, folder)
        guest = clone(trial, template, starting.confinement())
        try:
            if not gateway.wait_for(TRIAL, CHECK_DEADLINE_S):
                raise BadTemplate(
                    f"A clone of the template did not report in within {CHECK_DEADLINE_S:.0f} s."
                )
        finally:
            guest.identity.end(deadline_s=10.0)
            with contextlib.suppress(OSError):
                folder.remove()
