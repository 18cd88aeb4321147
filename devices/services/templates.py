"""The template of this host's clones: made once, loaded again, made anew when it went bad.

Runs in the worker, which holds the template's memory open for its clones. While there is none,
devices start cold, and the page says why.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import threading
import time
import weakref
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from devices.errors import FleetError, Unavailable
from devices.firmware.errors import FirmwareError
from devices.host import cgroup, guest_memory, memory
from devices.host.guest_memory import GuestMemory
from devices.models import Firmware, Host
from devices.qemu.clone import clone
from devices.qemu.errors import BadTemplate, QemuError
from devices.qemu.guest_folder import NO_DEVICES, TEMPLATE, TRIAL, ZYGOTE, GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import Launch
from devices.qemu.template import Template, load, make, template_key
from devices.services import bus, confined, costs, guests, starting, trial_gateway, zygotes

log = logging.getLogger(__name__)

# guests without a row, in folders beside the others: bin/down ends them like any, sweeping leaves
# them to this module, which alone knows whether they are its own or a killed worker's
OWN_FOLDERS = NO_DEVICES
RETRY_S = 300.0
# qemu itself, beside the memory of the guest in it
PROCESS_MIB = 64
CHECK_DEADLINE_S = 30.0

_lock = threading.Lock()
_ready: Template | None = None
_ready_at = datetime.max.replace(tzinfo=UTC)
_said: Status | None = None
_making: threading.Thread | None = None
_failed_at = float("-inf")
_zygote_failed_at = float("-inf")


@dataclass(frozen=True)
class Status:
    """How the template is: `making`, `ready` or `failed`, and a sentence about it."""

    state: str
    sentence: str
    at: float


def _say(host_name: str, state: str, sentence: str) -> None:
    global _said
    if _said is not None and (_said.state, _said.sentence) == (state, sentence):
        return  # a reason that lasts is found again every few seconds
    log.info("template: %s", sentence)
    _said = Status(state, sentence, time.time())
    bus.keep_template_status(host_name, asdict(_said))


def folder_of_all() -> Path:
    """Where templates lie, root's only."""
    return Path(settings.VAR_DIR) / "templates"


def current(host: Host, firmware: Firmware) -> Template | None:
    """The template to clone from now; None while it is made or when it cannot be.

    The first call begins to load or make it in a thread of its own, and so does one that finds that
    its clones cannot be forked.
    """
    global _making
    launch = template_launch(host, firmware)
    key = template_key(launch, {"firmware": firmware.sha256})
    with _lock:
        ready = _ready if _ready is not None and _ready.key == key else None
        wanted = _provide if ready is None else _rehearse
        failed_at = _failed_at if ready is None else _zygote_failed_at
        enough = ready is not None and ready.zygote is not None and ready.zygote.is_alive()
        idle = _making is None or not _making.is_alive()
        if not enough and idle and time.monotonic() - failed_at >= RETRY_S:
            _making = threading.Thread(
                target=wanted, args=(host.name, launch, key), name="template", daemon=True
            )
            _making.start()
    return ready


def ready_key() -> str | None:
    """The key of the template clones wake from now; None while there is none."""
    ready = _ready
    return None if ready is None else ready.key


def prepare(host_name: str) -> None:
    """Have the template at hand before the first device asks for it."""
    if _said is not None and bus.template_status(host_name) is None:  # Redis was emptied
        bus.keep_template_status(host_name, asdict(_said))
    host = Host.objects.filter(name=host_name).first()
    firmware = Firmware.objects.filter(architecture="arm64").first()
    if host is not None and firmware is not None:
        try:
            ready = current(host, firmware) is not None
            if ready and _said is not None and _said.state == "failed":  # which has passed
                _say(host_name, "ready", "Clones wake from a template.")
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
        if bad is not None:  # before anyone can load it again
            shutil.rmtree(bad.folder, ignore_errors=True)
    if bad is not None:
        _end_zygote(bad)
        _say(host_name, "failed", f"{reason} It is made again; devices start cold meanwhile.")


def distrust(host_name: str, woken_at: datetime) -> None:
    """Clones woken then never reported: their template is discarded if it is still in use."""
    if _ready_at <= woken_at:
        discard(host_name, "No clone of the template reports in.")


def _clear_unfinished() -> None:
    """End the guests a killed worker left of making a template, and remove what it had written."""
    for serial in OWN_FOLDERS:
        folder = GuestFolder(guests.folder(serial))
        process = folder.read_process()
        if process is None or process.end(deadline_s=10.0):
            folder.remove()
    for unfinished in folder_of_all().glob(".*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _provide(host_name: str, launch: Launch, key: str) -> None:
    global _ready, _ready_at, _failed_at
    began = time.monotonic()
    folder = folder_of_all() / key
    # until then "ready" may be the word of a worker that has ended
    _say(host_name, "making", "Loading the template.")
    try:
        _clear_unfinished()
        _check_room()
        template = _loaded(folder, key) or _made(host_name, launch, folder, key)
    except Exception as error:
        if not isinstance(error, QemuError | FirmwareError | FleetError | OSError):
            log.exception("the template could not be made")
        _failed_at = time.monotonic()
        _say(host_name, "failed", f"Devices start cold: {error}")
        return
    # the last of its users lets go of it: a round may still wake clones of a former one
    weakref.finalize(template, os.close, template.memory_fd)
    with _lock:
        former, _ready, _ready_at = _ready, template, timezone.now()
    if former is not None:
        _end_zygote(former)
    for other in folder_of_all().iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    took_s = time.monotonic() - began
    _say(host_name, "ready", f"Clones wake from a template that was ready in {took_s:.1f} s.")
    _rehearse(host_name, launch, key)


def _check_room() -> None:
    """A template's memory is held for as long as clones may come; raises Unavailable without it."""
    free = memory.read(limit=cgroup.memory_limit()).available_bytes >> 20
    needed = starting.WARM_SHAPE.memory_mib + PROCESS_MIB
    if free < needed:
        raise Unavailable(
            f"A template takes up to {needed:,} MiB and {free:,} MiB of memory are free. It is "
            f"tried again every {RETRY_S / 60:.0f} minutes; end what takes the memory."
        )


def _rehearse(host_name: str, launch: Launch, key: str) -> None:
    """Have the clones forked from now on."""
    global _zygote_failed_at
    template = _ready
    if template is None or template.key != key:
        return
    began = time.monotonic()
    _end_zygote(template)
    try:
        zygote = zygotes.start(
            launch, template, confined.confinement(), guests.folder(ZYGOTE),
            starting.HOST_SEEN_BY_GUESTS,
        )  # fmt: skip
    except QemuError as error:
        _zygote_failed_at = time.monotonic()
        _know_cost(host_name, key, "woken")
        _say(host_name, "ready", f"Clones wake from a template. {error}")
        return
    template.zygote = zygote
    try:
        first_clone = _check(launch, template)
    except (QemuError, OSError) as error:
        _zygote_failed_at = time.monotonic()
        _end_zygote(template)
        _know_cost(host_name, key, "woken")
        _say(host_name, "ready", f"Clones wake from a template, but are not forked: {error}")
        return
    _know_cost(host_name, key, "forked", first_clone)
    took_s = time.monotonic() - began
    _say(host_name, "ready", f"Clones are forked from a template, rehearsed in {took_s:.0f} s.")


def _end_zygote(template: Template) -> None:
    zygote, template.zygote = template.zygote, None
    if zygote is not None:
        zygote.close()


def _loaded(folder: Path, key: str) -> Template | None:
    if not folder.is_dir():
        return None
    try:
        return load(folder, key=key)
    except BadTemplate as error:
        log.warning("%s", error)
        return None


def _made(host_name: str, launch: Launch, folder: Path, key: str) -> Template:
    confinement = confined.confinement()
    template = make(
        launch, confinement, folder, key=key,
        progress=lambda step: _say(host_name, "making", f"{step[:1].upper()}{step[1:]}."),
    )
    _say(host_name, "making", "Checking the template by a clone.")
    try:
        first_clone = _check(launch, template)
        _know_cost(host_name, key, "woken", first_clone, settled=False)
    except BaseException:
        template.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return template


def _know_cost(
    host_name: str, key: str, way: costs.Way, first_clone: GuestMemory | None = None,
    *, settled: bool = True,
) -> None:
    """A template whose cost cannot be written down is good all the same."""
    try:
        # it may share with the process it was forked from
        kib = None if first_clone is None else first_clone.one_more_kib(2)
        costs.clones_are(host_name, key, way, kib, settled=settled)
    except DatabaseError as error:
        log.warning("what a clone costs was not kept: %s", error)
    finally:
        close_old_connections()


def _check(launch: Launch, template: Template) -> GuestMemory | None:
    """A clone must report in; gives what it took. Raises BadTemplate."""
    with trial_gateway.listening(confined.confinement().network_namespace) as gateway:
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
        guest = clone(trial, template, confined.confinement())
        try:
            if not gateway.wait_for(TRIAL, CHECK_DEADLINE_S):
                raise BadTemplate(
                    f"A clone of the template did not report in within {CHECK_DEADLINE_S:.0f} s."
                )
            return guest_memory.read(guest.identity.pid)
        finally:
            guest.identity.end(deadline_s=10.0)
            with contextlib.suppress(OSError):
                folder.remove()
