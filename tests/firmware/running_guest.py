"""A guest started cold for a test, with the disk's environment changed first where wanted."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import cold_boot
from devices.firmware import layout, uboot_env
from devices.firmware.artifact import FirmwareImage, read_nerves_environment

SECRET = "k7Zb0Jc2rXxQk0lmY3m0m2W9tq4o8d1vJ6uQeRtYuIo"


class RunningGuest:
    """The process, what it printed, and its disk."""

    def __init__(self, process: subprocess.Popen[bytes], disk: Path) -> None:
        self.process = process
        self.disk = disk
        self.console = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while raw := os.read(self.process.stdout.fileno(), 4096):
            self.console += raw.decode(errors="replace")

    def wait_for(self, line: str, *, times: int = 1, deadline_s: float = 90.0) -> None:
        """Wait until the console has shown something so often."""
        end = time.monotonic() + deadline_s
        while self.console.count(line) < times:
            assert time.monotonic() < end, f"no {line!r} in:\n{self.console[-3000:]}"
            time.sleep(0.02)

    def type(self, keys: bytes) -> None:
        """Type on the console."""
        assert self.process.stdin is not None
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def end(self) -> None:
        """End the process, if it still runs, and everything read from it."""
        if self.process.returncode is not None:
            return
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def environment(self) -> dict[str, str]:
        """The Nerves variables on the disk of a guest that ended."""
        raw = self.disk.with_name("raw")
        convert = ["qemu-img", "convert", "-O", "raw", str(self.disk), str(raw)]
        subprocess.run(convert, check=True)
        return read_nerves_environment(raw)


def write(disk: Path, offset: int, content: bytes) -> None:
    """Put bytes onto an overlay."""
    source = disk.with_name("content")
    source.write_bytes(content)
    command = f"write -q -s {source} {offset} {len(content)}"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(disk)], check=True)


def copy_slot(firmware: FirmwareImage, disk: Path) -> None:
    """Fill slot B with what slot A holds."""
    for regions in (layout.KERNEL, layout.ROOTFS):
        with firmware.disk.open("rb") as stream:
            stream.seek(regions["a"].offset)
            content = stream.read(40 * 1024 * 1024).rstrip(b"\0")
        write(disk, regions["b"].offset, content + bytes(-len(content) % layout.BLOCK_BYTES))


@contextlib.contextmanager
def running(
    firmware: FirmwareImage,
    *,
    port: int,
    changes: Mapping[str, str] | None = None,
    torn: bool = False,
    both_slots: bool = False,
    break_slot: str = "",
) -> Iterator[RunningGuest]:
    """Start a guest; `changes` go into its environment, `torn` spoils it."""
    with cold_boot.overlay(firmware.folder) as disk:
        if both_slots:
            copy_slot(firmware, disk)
        variables = read_nerves_environment(firmware.disk) | dict(changes or {})
        raw = uboot_env.encode(variables)
        if torn:
            raw = raw[: len(raw) // 2] + bytes([raw[-1] ^ 1]) * (len(raw) // 2)
        if changes or torn:
            write(disk, layout.ENVIRONMENT.offset, raw)
        if break_slot:
            write(disk, layout.KERNEL[break_slot].offset + 16 * 1024 * 1024, b"\xff" * 4096)
        identity = os.memfd_create("identity")
        try:
            os.write(identity, cold_boot.identity(port=port, secret=SECRET))
            command = cold_boot.argv(
                firmware.folder,
                disk=disk,
                identity_file=f"/proc/self/fd/{identity}",
                ram_mib=128,
                extra=[],
            )
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[identity],
            )
        finally:
            os.close(identity)
        guest = RunningGuest(process, disk)
        try:
            yield guest
        finally:
            guest.end()
