"""A clone that tries a template out before devices are cloned from it, and what it cost."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from pathlib import Path

from django.db import DatabaseError, close_old_connections

from devices.host import guest_memory
from devices.host.guest_memory import GuestMemory
from devices.qemu.clone import clone
from devices.qemu.errors import BadTemplate
from devices.qemu.guest_folder import TRIAL, GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import Launch
from devices.qemu.template import Template
from devices.services import confined, costs, starting, trial_gateway

log = logging.getLogger(__name__)

DEADLINE_S = 30.0


def first_clone(launch: Launch, template: Template, folder: Path) -> GuestMemory | None:
    """What a clone in this folder takes once it has reported in; it is ended again.

    `launch` is the template's own. Raises BadTemplate when it does not report, and what starting a
    clone raises.
    """
    confinement = confined.confinement()
    with trial_gateway.listening(confinement.network_namespace) as gateway:
        identity = Identity(
            serial=TRIAL,
            mac=mac_for(1),
            hostname=TRIAL,
            secret=secrets.token_urlsafe(32),
            gateway=f"{starting.HOST_SEEN_BY_GUESTS}:{gateway.port}",
            time=int(time.time()),
            entropy=secrets.token_hex(32),
        )
        place = GuestFolder(folder)
        guest = clone(starting.relaunched(launch, identity, place), template, confinement)
        try:
            if not gateway.wait_for(TRIAL, DEADLINE_S):
                raise BadTemplate(
                    f"A clone of the template did not report in within {DEADLINE_S:.0f} s."
                )
            return guest_memory.read(guest.identity.pid)
        finally:
            guest.identity.end(deadline_s=10.0)
            with contextlib.suppress(OSError):
                place.remove()


def know_cost(
    host_name: str, architecture: str, key: str, way: costs.Way, first: GuestMemory | None,
    *, settled: bool,
) -> None:
    """Keep that clones come from that template in that way, and what the first of them took.

    A template whose cost cannot be written down is good all the same.
    """
    try:
        # it may share with the process it was forked from
        kib = None if first is None else first.one_more_kib(2)
        costs.clones_are(host_name, key, way, kib, settled=settled, architecture=architecture)
    except DatabaseError as error:
        log.warning("what a clone costs was not kept: %s", error)
    finally:
        close_old_connections()
