"""The folder of one guest: what lies in it and what it says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devices.qemu.errors import DiskMissing
from devices.qemu.process_identity import ProcessIdentity

# folders of guests that are no devices: a template in the making, its trial, what clones come from
NO_DEVICE_KINDS = TEMPLATE, TRIAL, ZYGOTE = "template", "trial", "zygote"
OTHER_ARCHITECTURES = ("x64",)

_LOG_TAIL_BYTES = 4096


def no_device(kind: str, architecture: str) -> str:
    """The name of such a folder; those of the usual architecture have none behind theirs."""
    return f"{kind}-{architecture}" if architecture in OTHER_ARCHITECTURES else kind


NO_DEVICES = frozenset(
    no_device(kind, architecture)
    for kind in NO_DEVICE_KINDS
    for architecture in ("arm64", *OTHER_ARCHITECTURES)
)


class GuestFolder:
    """The names inside `guests/<serial>/`; nothing is made until `create`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.overlay = path / "overlay.qcow2"
        self.process = path / "process"
        self.qmp_socket = path / "qmp.sock"
        self.console_socket = path / "console.sock"
        self.log = path / "qemu.log"

    def __repr__(self) -> str:
        return f"GuestFolder({str(self.path)!r})"

    def create(self, *, keep_disk: bool = False) -> None:
        """Make a folder for its owner only; what an earlier guest left is removed.

        With `keep_disk` its overlay stays, and it has to be there: raises DiskMissing.
        """
        if keep_disk:
            self.keep_disk_only()
            if not self.overlay.is_file():
                raise DiskMissing(self.overlay)
            return
        self.remove()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700)

    def read_process(self) -> ProcessIdentity | None:
        """The process that was recorded here, running or not; None when there is no record."""
        try:
            boot_id, pid, start_time = self.process.read_text().split()
            return ProcessIdentity(boot_id, int(pid), int(start_time))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def record(self, process: ProcessIdentity) -> None:
        """Write down which process the guest is."""
        new = self.process.with_suffix(".new")
        new.write_text(f"{process.boot_id} {process.pid} {process.start_time}\n")
        new.rename(self.process)

    def last_log_lines(self, count: int = 5) -> str:
        """The last lines qemu itself wrote, joined by spaces; "" when it wrote none."""
        try:
            with self.log.open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
                said = log.read().decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return " ".join(lines[-count:])

    def trim_log(self, limit_bytes: int = 65536) -> None:
        """Empty the log when it has grown over the limit; qemu appends, so it goes on from there.

        A guest can make qemu complain as often as it likes, so somebody has to do this.
        """
        try:
            if self.log.stat().st_size > limit_bytes:
                os.truncate(self.log, 0)
        except (FileNotFoundError, NotADirectoryError):
            return

    def keep_disk_only(self) -> None:
        """Remove what belongs to a guest that ran here, and keep the overlay."""
        for each in (self.process, self.qmp_socket, self.console_socket, self.log):
            each.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all in it; nothing happens when there is none."""
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            return
