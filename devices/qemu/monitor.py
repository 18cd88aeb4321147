"""QMP for the two things that are asked of thousands of guests: freeze, and wake.

Commands can be written before qemu has begun, several in one go and with an open file beside them,
so that starting a clone takes no round trip (docs/interop/qmp-spec.txt; unix(7), SCM_RIGHTS).
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from devices.qemu.errors import QmpFailed
from devices.qemu.unix_socket import connect

_READ_BYTES = 16 << 10

Command = tuple[str, Mapping[str, object]]


class Monitor:
    """One connection to a guest's QMP socket; leaving the block closes it."""

    def __init__(self, qmp_socket: Path) -> None:
        self._path = qmp_socket
        try:
            self._socket = connect(qmp_socket)
        except OSError as error:
            raise QmpFailed(f"qemu could not be reached on {qmp_socket}: {error}.") from error
        self._heard = b""
        self._messages: list[dict[str, Any]] = []

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """The descriptor to poll for input."""
        return self._socket.fileno()

    def write(self, commands: Iterable[Command], *, descriptors: Iterable[int] = ()) -> None:
        """Send commands without waiting; `getfd` among them takes the descriptors in order."""
        said = b"".join(
            json.dumps({"execute": name, "arguments": dict(arguments)}).encode() + b"\n"
            for name, arguments in commands
        )
        try:
            sent = socket.send_fds(self._socket, [said], list(descriptors))
        except OSError as error:
            raise QmpFailed(f"qemu could not be told on {self._path}: {error}.") from error
        if sent != len(said):
            raise QmpFailed(f"qemu does not take what it is told on {self._path}.")

    def read(self) -> bool:
        """Take what has arrived; whether the connection goes on. Raises QmpFailed for an error."""
        try:
            chunk = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "error" in message:
                raise QmpFailed(
                    f"qemu refused on {self._path}: {message['error'].get('desc', 'no reason')}"
                )
            self._messages.append(message)
        return bool(chunk)

    def take(self) -> list[dict[str, Any]]:
        """Answers and events that have arrived and were not taken yet, oldest first."""
        taken, self._messages = self._messages, []
        return taken

    def ask(self, name: str, *, timeout_s: float, descriptor: int | None = None,
            **arguments: object) -> Any:  # fmt: skip
        """The answer to one command; raises QmpFailed."""
        self.write([(name, arguments)], descriptors=() if descriptor is None else [descriptor])
        until = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            for message in self.take():
                if "return" in message:
                    return message["return"]
            if not poll.poll(max(0, round(1000 * (until - time.monotonic())))):
                raise QmpFailed(f"qemu did not answer {name} on {self._path} in {timeout_s:g} s.")
            if not self.read():
                raise QmpFailed(f"qemu ended before it answered {name} on {self._path}.")

    def quit(self) -> None:
        """Ask qemu to end; it may be quicker than its answer."""
        with contextlib.suppress(QmpFailed):
            self.write([("quit", {})])
