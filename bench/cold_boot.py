"""What a cold boot costs: one guest, from power-on to its report at a bare server."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from devices.firmware import artifact

SERIAL = "525400000001"
MAC = "52:54:00:00:00:01"
IDENTITY_BYTES = 512
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Boot:
    """What was seen: `(label, wall_s, cpu_s)` in order, and the request that arrived."""

    timeline: list[tuple[str, float, float]] = field(default_factory=list)
    request: str = ""
    console: str = ""
    reported: bool = False
    cpu_s: float = 0.0
    wall_s: float = 0.0


def identity(*, port: int, serial: str = SERIAL, mac: str = MAC, secret: str = "") -> bytes:
    """The 512 bytes a guest finds its identity in."""
    lines = {
        "serial": serial,
        "mac": mac,
        "hostname": f"fleetdash-{serial}",
        "secret": secret or secrets.token_urlsafe(32),
        "gateway": f"10.0.2.2:{port}",
        "time": str(int(time.time())),
        "entropy": secrets.token_hex(32),
    }
    text = "".join(f"{key}={value}\n" for key, value in lines.items()).encode()
    return text.ljust(IDENTITY_BYTES, b"\n")


BOARDS = {
    "arm64": ["qemu-system-aarch64", "-machine", "virt,gic-version=2"],
    "x64": ["qemu-system-x86_64", "-machine", "pc"],
}
CPUS = {"arm64": "cortex-a53", "x64": "qemu64"}


def argv(
    firmware: Path,
    *,
    disk: Path,
    identity_file: str,
    ram_mib: int,
    cpu: str = "",
    extra: list[str],
    console: str = "stdio",
) -> list[str]:
    """The command line of a guest that starts cold through the boot-loader."""
    image = artifact.load(firmware)
    bus = "device" if image.architecture == "arm64" else "pci"
    flash = []
    if image.environment is not None:
        flash = ["-device", f"loader,file={image.environment},addr=0x4000000,force-raw=on"]
    return [
        *BOARDS[image.architecture],
        "-cpu", cpu or CPUS[image.architecture],
        "-accel", "tcg,tb-size=32",
        "-smp", "1",
        "-m", str(ram_mib),
        "-bios", str(image.bootloader),
        *flash,
        "-global", "virtio-mmio.force-legacy=false",
        "-netdev", "user,id=net0",
        "-device", f"virtio-net-{bus},netdev=net0,mac={MAC}{',romfile=' if bus == 'pci' else ''}",
        "-blockdev", f"driver=qcow2,node-name=disk0,file.driver=file,file.filename={disk}",
        "-device", f"virtio-blk-{bus},drive=disk0",
        "-device", f"virtio-rng-{bus}",
        "-fw_cfg", f"name=opt/org.fleetdash/identity,file={identity_file}",
        "-chardev", f"{console},id=console0",
        "-serial", "chardev:console0",
        "-nodefaults", "-display", "none", "-no-user-config", "-monitor", "none",
        *extra,
    ]  # fmt: skip


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def overlay(firmware: Path) -> Iterator[Path]:
    """A fresh overlay on the firmware's disk."""
    with tempfile.TemporaryDirectory(prefix="cold-boot-") as folder:
        disk = Path(folder) / "overlay.qcow2"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
             str(firmware / "disk.img"), str(disk)],
            check=True,
        )  # fmt: skip
        yield disk


def boot(
    firmware: Path,
    *,
    port: int,
    ram_mib: int = 128,
    cpu: str = "",
    deadline_s: float = 60.0,
    after_s: float = 0.0,
    extra: list[str] | None = None,
    echo: bool = False,
    disk: Path | None = None,
) -> Boot:
    """Boot one guest until its report arrives, answer it, watch `after_s` more, and end it."""
    seen = Boot()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        image = disk if disk is not None else stack.enter_context(overlay(firmware))
        memory = os.memfd_create("identity")
        stack.callback(os.close, memory)
        os.write(memory, identity(port=port))
        command = argv(
            firmware,
            disk=image,
            identity_file=f"/proc/self/fd/{memory}",
            ram_mib=ram_mib,
            cpu=cpu,
            extra=extra or [],
        )
        started = time.monotonic()
        guest = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[memory]
        )
        try:
            _watch(guest, server, seen, started, deadline_s, after_s, echo)
            if not seen.reported:
                seen.cpu_s, seen.wall_s = cpu_seconds(guest.pid), time.monotonic() - started
        finally:
            pidfd = os.pidfd_open(guest.pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
            guest.wait()
            assert guest.stdout is not None and guest.stdin is not None
            guest.stdout.close()
            guest.stdin.close()
    return seen


def _watch(
    guest: subprocess.Popen[bytes],
    server: socket.socket,
    seen: Boot,
    started: float,
    deadline_s: float,
    after_s: float,
    echo: bool,
) -> None:
    assert guest.stdout is not None
    os.set_blocking(guest.stdout.fileno(), False)
    end = started + deadline_s
    partial = ""
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(guest.stdout, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                now, cpu = time.monotonic() - started, cpu_seconds(guest.pid)
                if key.fileobj is server:
                    client, _ = server.accept()
                    with client:
                        client.settimeout(5)
                        request = client.recv(4096)
                        now, cpu = time.monotonic() - started, cpu_seconds(guest.pid)
                        seen.timeline.append((f"request {request[:16]!r}", now, cpu))
                        if request.startswith(b"POST") and not seen.reported:
                            seen.request = request.decode(errors="replace")
                            seen.reported, seen.cpu_s, seen.wall_s = True, cpu, now
                            client.sendall(ANSWER)
                            end = time.monotonic() + after_s
                else:
                    raw = os.read(guest.stdout.fileno(), 65536)
                    if not raw:
                        return
                    text = raw.decode(errors="replace")
                    seen.console += text
                    lines = (partial + text).split("\n")
                    partial = lines.pop()
                    for line in lines:
                        seen.timeline.append((line.strip(), now, cpu))
                        if echo:
                            print(f"{now:7.3f} {cpu:6.2f}  {line.strip()}", file=sys.stderr)


def main() -> int:
    """Measure, print, and fail when a report did not come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("firmware", type=Path, help="a folder var/firmware/<architecture>/<sha256>")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=14100)
    parser.add_argument("--memory", type=int, default=128, help="MiB of guest memory")
    parser.add_argument("--cpu", default="", help="cortex-a53 or qemu64 unless given")
    parser.add_argument("--after", type=float, default=0.0, help="seconds to watch on")
    parser.add_argument("--echo", action="store_true", help="show the console with its times")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("extra", nargs="*", help="more words for qemu, after --")
    options = parser.parse_args()
    boots = [
        boot(
            options.firmware.resolve(),
            port=options.port,
            ram_mib=options.memory,
            cpu=options.cpu,
            after_s=options.after,
            extra=options.extra,
            echo=options.echo,
        )
        for _ in range(options.runs)
    ]
    if options.json:
        print(json.dumps([{"cpu_s": one.cpu_s, "wall_s": one.wall_s} for one in boots]))
    else:
        for one in boots:
            if one.reported:
                print(f"report after {one.cpu_s:.2f} s of CPU, {one.wall_s:.2f} s of wall time")
            else:
                print(f"no report after {one.cpu_s:.2f} s of CPU, {one.wall_s:.2f} s of wall time;")
                print(f"the console ended with:\n{one.console[-2000:]}")
    return 0 if all(one.reported for one in boots) else 1


if __name__ == "__main__":
    raise SystemExit(main())
