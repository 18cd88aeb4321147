"""The raw limit: the same guests started by a bare loop, each counted when its POST arrives."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

from bench.processes import cost
from devices.firmware.artifact import FirmwareImage
from devices.qemu.argv import guest_argv
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.open_files import OpenFiles
from devices.qemu.overlay import write_overlay
from devices.qemu.shape import Shape
from devices.qemu.spec import Bootloader, Disk, GuestSpec

DEADLINE_S = 600.0


@dataclass
class RawRun:
    """When each guest was started and reported, in seconds after the beginning, and its CPU."""

    started_s: dict[str, float] = field(default_factory=dict)
    reported_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)


class _BareServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.reported = threading.Condition()
        self.at: dict[str, float] = {}


class _Answer(BaseHTTPRequestHandler):
    server: _BareServer

    def do_POST(self) -> None:
        """Take a report."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.reported:
            self.server.at.setdefault(self.path.rpartition("/")[2], time.monotonic())
            self.server.reported.notify_all()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_GET(self) -> None:
        """There is no socket to hold here."""
        self.send_error(404)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def run(image: FirmwareImage, *, count: int, width: int, memory_mib: int) -> RawRun:
    """Start `count` guests, `width` at a time, and wait for their reports; then end them all."""
    server = _BareServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    result = RawRun()
    children: dict[str, subprocess.Popen[bytes]] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fleetdash-raw-") as folder:
        try:
            for number in range(1, count + 1):
                serial = f"raw-{number:05d}"
                with server.reported:
                    server.reported.wait_for(
                        lambda: len(children) - len(server.at) < width, DEADLINE_S
                    )
                _note(server, children, result, began)
                result.started_s[serial] = time.monotonic() - began
                children[serial] = _start(
                    image, serial, number, Path(folder), server.server_address[1], memory_mib
                )
            while len(server.at) < count and time.monotonic() - began < DEADLINE_S:
                with server.reported:
                    server.reported.wait(0.2)
                _note(server, children, result, began)
        finally:
            for child in children.values():
                child.kill()
            for child in children.values():
                child.wait()
            server.shutdown()
            server.server_close()
    return result


def _note(
    server: _BareServer,
    children: dict[str, subprocess.Popen[bytes]],
    result: RawRun,
    began: float,
) -> None:
    for serial in set(server.at) - set(result.reported_s):
        result.reported_s[serial] = server.at[serial] - began
        result.cpu_s[serial] = cost(children[serial].pid).cpu_s


def _start(
    image: FirmwareImage, serial: str, number: int, folder: Path, port: int, memory_mib: int
) -> subprocess.Popen[bytes]:
    identity = Identity(
        serial=serial,
        mac=mac_for(number),
        hostname=serial,
        secret=secrets.token_urlsafe(32),
        gateway=f"10.0.2.2:{port}",
        time=int(time.time()),
        entropy=secrets.token_hex(32),
    )
    overlay = folder / f"{serial}.qcow2"
    write_overlay(overlay, image.disk.stat().st_size)
    assert image.environment is not None  # an arm64 firmware has one
    with OpenFiles() as files:
        argv = guest_argv(
            GuestSpec(
                serial=serial,
                uuid=uuid4(),
                mac=identity.mac,
                architecture="arm64",
                accelerator="tcg",
                boot=Bootloader(files.image(image.bootloader), files.image(image.environment)),
                qmp_fd=files.listening(folder / f"{serial}.qmp"),
                console_fd=files.listening(folder / f"{serial}.console"),
                shape=Shape(memory_mib=memory_mib),
                disk=Disk(files.writable(overlay), files.image(image.disk)),
                identity_fd=files.identity(identity),
            )
        )
        return subprocess.Popen(argv, pass_fds=files.for_guest(), stdin=subprocess.DEVNULL)
