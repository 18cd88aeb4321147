"""The 512 bytes that tell a guest who it is (docs/architecture.md, "A guest's identity")."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from devices.qemu.errors import BadIdentity

SIZE_BYTES = 512
FW_CFG_NAME = "opt/org.fleetdash/identity"

_FORMS = {
    "template": re.compile(r"(1|rehearse|shown|unmixed)?"),
    "serial": re.compile(r"[0-9A-Za-z-]{1,32}"),
    "mac": re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"),
    "hostname": re.compile(r"[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?"),
    "secret": re.compile(r"[0-9A-Za-z_-]{43}"),
    "gateway": re.compile(r"[0-9a-z.-]{1,64}:[0-9]{1,5}"),
    "entropy": re.compile(r"[0-9a-f]{64}"),
}


@dataclass(frozen=True)
class Identity:
    """Who a guest is; `time` is Unix seconds at launch, `entropy` 64 hex digits.

    Its text form leaves secret and entropy out, so that neither lands in a log. `template` is "1"
    for a guest that is to be frozen, and "rehearse" for a frozen one that is to be this device
    once and freeze again; for tests its clones print their first random bytes with "shown", and
    without having been given entropy with "unmixed".
    """

    serial: str
    mac: str
    hostname: str
    secret: str = field(repr=False)
    gateway: str
    time: int
    entropy: str = field(repr=False)
    template: Literal["", "1", "rehearse", "shown", "unmixed"] = ""


def encode(identity: Identity) -> bytes:
    """Exactly 512 ASCII bytes of `key=value` lines, padded with line ends; raises BadIdentity."""
    for name, form in _FORMS.items():
        value = getattr(identity, name)
        if not form.fullmatch(value):
            shown = "" if name in ("secret", "entropy") else f" {value!r}"
            raise BadIdentity(
                f"The {name}{shown} of device {identity.serial!r} is not of the form "
                f"{form.pattern}; it was not started."
            )
    if not 0 < identity.time < 1 << 40:
        raise BadIdentity(
            f"The time {identity.time} of device {identity.serial!r} is not in Unix seconds."
        )
    keys = ("serial", "mac", "hostname", "secret", "gateway", "time", "entropy")
    values = [(key, getattr(identity, key)) for key in keys]
    if identity.template:
        values.insert(0, ("template", identity.template))
    lines = "".join(f"{key}={value}\n" for key, value in values).encode("ascii")
    if len(lines) > SIZE_BYTES:
        raise BadIdentity(
            f"The identity of device {identity.serial!r} takes {len(lines)} bytes; "
            f"there is room for {SIZE_BYTES}."
        )
    return lines.ljust(SIZE_BYTES, b"\n")


def mac_for(number: int) -> str:
    """The device's network address: locally administered, unicast, by its number below 2^40.

    The second bit of the first byte says "local" (IEEE 802, clause 8.4).
    """
    if not 0 <= number < 1 << 40:
        raise BadIdentity(f"There is no network address for device number {number}.")
    return "02:" + number.to_bytes(5, "big").hex(":")
