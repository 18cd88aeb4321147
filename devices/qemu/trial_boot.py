"""Boots one guest and waits for a line on its console."""

from __future__ import annotations

import contextlib
import os
import select
import time
from dataclasses import replace

from devices.qemu.errors import QemuError
from devices.qemu.launch import Confinement, Launch
from devices.qemu.ring import Ring
from devices.qemu.spawn import spawn
from devices.qemu.spec import Accelerator
from devices.qemu.unix_socket import connect

_KEPT_BYTES = 16 << 10
_SHOWN_CHARACTERS = 160


class GuestDidNotBoot(QemuError):
    """The guest ended or said nothing of what was waited for."""


def seconds_to_say(
    launch: Launch,
    accelerator: Accelerator,
    cpu_model: str | None,
    confinement: Confinement,
    *,
    expect: bytes,
    deadline_s: float,
) -> float:
    """Seconds from the start of the guest to the expected line; then the guest is ended.

    Raises GuestDidNotBoot with the last it printed, and all that `spawn` raises.
    """
    began = time.monotonic()
    launch = replace(launch, accelerator=accelerator, cpu_model=cpu_model)
    guest = spawn(launch, confinement, start_deadline_s=deadline_s)
    try:
        wait_for_line(launch, expect, began + deadline_s, deadline_s)
        return time.monotonic() - began
    finally:
        # a hanging guest does not hear SIGTERM
        guest.identity.end(deadline_s=10.0, grace_s=0.0)
        launch.folder.remove()


def wait_for_line(launch: Launch, expect: bytes, until: float, deadline_s: float) -> None:
    heard = Ring(_KEPT_BYTES)
    try:
        with contextlib.closing(connect(launch.folder.console_socket)) as console:
            poll = select.poll()
            poll.register(console, select.POLLIN)
            while expect not in heard.content():
                left_ms = max(0, round(1000 * (until - time.monotonic())))
                if not poll.poll(left_ms):
                    raise GuestDidNotBoot(
                        f"The guest did not come up within {deadline_s:g} s and was ended; "
                        f"{_last_words(heard)}"
                    )
                chunk = _received(console.fileno())
                if chunk == b"":
                    raise GuestDidNotBoot(_ended(launch, heard))
                heard.append(chunk or b"")
    except ConnectionError:
        raise GuestDidNotBoot(_ended(launch, heard)) from None


def _received(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return None


def _ended(launch: Launch, heard: Ring) -> str:
    said = launch.folder.last_log_lines()
    heard_of_qemu = f"qemu said: {said} " if said else ""
    return f"The guest ended before it was up. {heard_of_qemu}{_last_words(heard)}"


def _last_words(heard: Ring) -> str:
    """The last line of the console that says anything, without control characters."""
    for line in reversed(heard.content().decode(errors="replace").splitlines()):
        printable = "".join(each for each in line if each.isprintable()).strip()
        if printable:
            return f"the last it printed was “{printable[-_SHOWN_CHARACTERS:]}”."
    return "it printed nothing."
