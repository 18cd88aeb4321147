"""What is known of a device's two slots, from its own report and what its disk was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devices.models import Device
from devices.states import WITH_PROCESS, State

Slot = Literal["a", "b"]
# the boot-loader's first choice on a disk that was just made
FIRST: Slot = "a"
_NAMES: dict[str, Slot] = {"a": "a", "b": "b"}


@dataclass(frozen=True, kw_only=True)
class SlotView:
    """One slot: the firmware in it, whether it runs, whether the boot-loader takes it next.

    `version` is empty for an empty slot. `note` says what follows from that, as a sentence.
    """

    name: Slot
    version: str
    runs: bool
    next: bool
    note: str


def slots(device: Device) -> tuple[SlotView, SlotView]:
    """Both slots of a device's disk.

    A disk is made with its firmware in slot A and nothing in slot B. The boot-loader takes the slot
    that ran last, for a firmware is on trial only while it has not validated itself.
    """
    reported = _NAMES.get(device.reported_slot)
    return _slot(device, "a", reported), _slot(device, "b", reported)


def _slot(device: Device, name: Slot, reported: Slot | None) -> SlotView:
    has_process = device.state in WITH_PROCESS
    if device.state == State.GONE:
        return SlotView(name=name, version="", runs=False, next=False,
                        note="Its disk is deleted.")  # fmt: skip
    following = (reported or FIRST) == name
    if reported == name:
        version = device.reported_version or device.firmware.version
    else:
        version = device.firmware.version if name == FIRST else ""
    return SlotView(
        name=name,
        version=version,
        runs=has_process and reported == name,
        next=following,
        note=_note(device, name, reported, version=version, has_process=has_process),
    )


def _note(
    device: Device, name: Slot, reported: Slot | None, *, version: str, has_process: bool
) -> str:
    if not version:
        return "Empty: no firmware has been written to it yet."
    if reported is None:
        return "Written when the disk was made; the device has not reported what it runs yet."
    if reported != name:
        return "Not in use; the boot-loader goes back to it when the other slot cannot be started."
    if not has_process:
        return "It ran last, by the device's own report."
    return f"It runs, by the device's own report after a {device.reported_start or 'cold'} start."
