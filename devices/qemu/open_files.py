"""The files a guest is handed, opened by one who may and closed again once it has them."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path
from types import TracebackType

from devices.qemu.errors import BadImage
from devices.qemu.identity_file import Identity, encode
from devices.qemu.unix_socket import listen

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class OpenFiles:
    """Descriptors for one guest; leaving the block closes this process's copies."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._sockets: list[socket.socket] = []
        self._for_guest: list[int] = []

    def __enter__(self) -> OpenFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        for each in self._sockets:
            each.close()

    def for_guest(self) -> tuple[int, ...]:
        """What qemu inherits."""
        return tuple(self._for_guest)

    def image(self, path: Path) -> int:
        """An image to read; raises BadImage when it is missing, empty or not a file."""
        try:
            descriptor = self._keep(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise BadImage(
                f"{path} cannot be read ({error.strerror}): build or import the firmware again."
            ) from error
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size == 0:
            raise BadImage(f"{path} is not a file with content: build the firmware again.")
        return descriptor

    def writable(self, path: Path) -> int:
        """A file to read and write."""
        return self._keep(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def listening(self, path: Path) -> int:
        """A listening unix socket at that path."""
        listening = listen(path)
        self._sockets.append(listening)
        self._for_guest.append(listening.fileno())
        return listening.fileno()

    def identity(self, identity: Identity) -> int:
        """A guest's identity in memory, sealed so that not even its reader changes it."""
        content = encode(identity)
        descriptor = self._keep(
            os.memfd_create("identity", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        )
        os.write(descriptor, content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return descriptor

    def kept_open(self, descriptor: int) -> int:
        """A descriptor that is not this block's to close."""
        self._for_guest.append(descriptor)
        return descriptor

    def log(self, path: Path) -> int:
        """A log to append to; qemu has it as its standard output and error."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        self._descriptors.append(descriptor)
        return descriptor

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        self._for_guest.append(descriptor)
        return descriptor
