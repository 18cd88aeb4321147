"""The zygote that a template's clones are forked from: made in the worker, checked by a real fork.

Without one, clones start a qemu each, which costs more, and the page says why.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import Confinement, Launch
from devices.qemu.template import Template
from devices.qemu.zygote import Zygote
from devices.services import trial_gateway

REHEARSAL = "rehearsal"


def start(
    launch: Launch, template: Template, confinement: Confinement, folder: Path, seen_as: str
) -> Zygote:
    """A zygote of this template in this folder; raises ZygoteFailed.

    `launch` is the template's own; guests see the host's loopback as `seen_as`.
    """
    assert launch.identity is not None
    with trial_gateway.listening(confinement.network_namespace) as gateway:
        rehearsal = Identity(
            serial=REHEARSAL,
            mac=mac_for(1),
            hostname=REHEARSAL,
            secret=secrets.token_urlsafe(32),
            gateway=f"{seen_as}:{gateway.port}",
            time=int(time.time()),
            entropy=secrets.token_hex(32),
            template="rehearse",
        )
        return Zygote.start(
            launch, template, confinement, GuestFolder(folder), rehearsals=[rehearsal]
        )
