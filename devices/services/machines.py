"""What qemu says of a device's machine, asked of the worker, which alone may open its sockets."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import asdict, dataclass

import redis

from devices.errors import BadSerial
from devices.models import Device
from devices.qemu import qmp
from devices.qemu.errors import QmpFailed
from devices.qemu.guest_folder import GuestFolder
from devices.services import bus, dispatch, guests
from devices.states import WITH_PROCESS

# a page waits that long, and qemu a little less
WAIT_S = 3.0
QMP_WAIT_S = 2.0
ANSWER_KEPT_S = 30
_TICKET = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class MachineStatus:
    """qemu's answer to `query-status`.

    `status` is the run state (qapi/run-state.json), empty when there is none; `sentence` says why
    not. `took_s` is how long qemu took.
    """

    status: str = ""
    sentence: str = ""
    took_s: float | None = None


def ask(device: Device) -> MachineStatus:
    """Have the device's host ask qemu; returns after 3 s at the most."""
    if device.state not in WITH_PROCESS:
        return MachineStatus(sentence=f"It is {device.state}: there is no qemu to ask.")
    ticket = secrets.token_hex(16)
    try:
        dispatch.to_host("machine_status", device.host.name, device.serial, ticket)
        found = bus.client().blpop([_key(ticket)], timeout=WAIT_S)
    except redis.RedisError:
        return MachineStatus(
            sentence="Redis is away, so the worker cannot be asked. It is started again by itself."
        )
    if not isinstance(found, list | tuple):
        return MachineStatus(
            sentence=f"The worker of {device.host.name} did not answer within {WAIT_S:g} s: it is "
            "busy or down. Ask again."
        )
    return MachineStatus(**json.loads(found[1]))


def answer(serial: str, ticket: str) -> None:
    """Ask the qemu of a device of this host and leave the answer for whoever holds the ticket."""
    if not _TICKET.fullmatch(ticket):
        return
    said = json.dumps(asdict(_asked(serial)))
    try:
        pipe = bus.client().pipeline()
        pipe.rpush(_key(ticket), said)
        pipe.expire(_key(ticket), ANSWER_KEPT_S)
        pipe.execute()
    except redis.RedisError:
        return  # whoever asked has been told that nobody answered


def _asked(serial: str) -> MachineStatus:
    try:
        folder = GuestFolder(guests.folder(serial))
    except BadSerial as error:
        return MachineStatus(sentence=str(error))
    process = folder.read_process()
    if process is None or not process.is_alive():
        return MachineStatus(sentence="Its qemu process is not running.")
    began = time.monotonic()
    try:
        status = qmp.query_status(folder.qmp_socket, timeout_s=QMP_WAIT_S)
    except QmpFailed as error:
        return MachineStatus(sentence=str(error))
    return MachineStatus(status=status, took_s=time.monotonic() - began)


def _key(ticket: str) -> str:
    return f"fleet:answer:{ticket}"
