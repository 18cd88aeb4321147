"""Warm clones in a bare loop, each counted when its report reaches a bare server."""

from __future__ import annotations

import argparse
import base64
import ctypes
import hashlib
import json
import os
import re
import secrets
import select
import shutil
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from devices.firmware import artifact
from devices.firmware.artifact import FirmwareImage
from devices.qemu.clone import clone_many
from devices.qemu.confinement import ensure_confinement, remove_cgroup
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.launch import BootloaderFiles, Confinement, Launch, StartedGuest
from devices.qemu.monitor import Monitor
from devices.qemu.namespace import listen_in_namespace, remove_namespace
from devices.qemu.process_identity import end_all
from devices.qemu.process_memory import set_for_guests
from devices.qemu.shape import Shape
from devices.qemu.spec import Architecture
from devices.qemu.template import Template, load, make, template_key

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%sConnection: close\r\n\r\n{}"
AT_ONCE = b"Socket-Within-Ms: 0\r\n"
UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ADDR_NO_RANDOMIZE = 0x0040000
TICKS = os.sysconf("SC_CLK_TCK")


def accept_key(key: bytes) -> bytes:
    """The answer to a WebSocket's key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())


@dataclass
class BareServer:
    """Answers every report with 200 and holds sockets without a word.

    By serial: `at` is when its first report came, `first` that report, `keys` its WebSocket's key
    and `masks` the mask of its first frame, if that was over 125 bytes as a join is. With
    `sockets_at_once` clones open their sockets right after the report, otherwise within 10 s.
    """

    listening: socket.socket
    sockets_at_once: bool = False
    at: dict[str, float] = field(default_factory=dict)
    first: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    masks: dict[str, bytes] = field(default_factory=dict)
    speakers: dict[socket.socket, str] = field(default_factory=dict)
    arrived: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Serve until the process ends."""
        poll = select.epoll()
        poll.register(self.listening, select.EPOLLIN)
        connections: dict[int, socket.socket] = {}
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self.listening.fileno():
                    connection, _ = self.listening.accept()
                    connections[connection.fileno()] = connection
                    poll.register(connection, select.EPOLLIN)
                    continue
                if not self._goes_on(connections[descriptor]):
                    poll.unregister(descriptor)
                    connections.pop(descriptor).close()

    def _goes_on(self, connection: socket.socket) -> bool:
        try:
            request = connection.recv(8192)
            if request.startswith(b"GET "):
                key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
                who = re.search(rb"(?i)x-nh-key: *(\S+)", request)
                if key is None or who is None:
                    return False
                self.keys[who[1].decode()] = key[1]
                self.speakers[connection] = who[1].decode()
                connection.sendall(UPGRADE % accept_key(key[1]))
                return True
            if not request.startswith(b"POST "):
                if len(request) > 8 and connection in self.speakers:
                    self.masks.setdefault(self.speakers[connection], request[4:8])
                return bool(request)
            serial = request.split(b" ", 2)[1].rpartition(b"/")[2].decode()
            self.first.setdefault(serial, request)
            self.at.setdefault(serial, time.monotonic())
            self.arrived.set()
            connection.sendall(ANSWER % (AT_ONCE if self.sockets_at_once else b""))
        except ConnectionError:
            pass
        return False


def identity(number: int, port: int, *, template: bool = False) -> Identity:
    """The identity of a numbered clone."""
    serial = "template" if template else f"c{number:08d}"
    return Identity(
        serial=serial, mac=mac_for(number), hostname=serial, secret=secrets.token_urlsafe(32),
        gateway=f"10.0.2.2:{port}", time=int(time.time()), entropy=secrets.token_hex(32),
        template="1" if template else "",
    )  # fmt: skip


def launch(image: FirmwareImage, who: Identity, folder: Path, shape: Shape) -> Launch:
    """A launch of that firmware under software emulation."""
    return Launch(
        serial=who.serial, architecture=cast(Architecture, image.architecture), accelerator="tcg",
        boot=BootloaderFiles(image.bootloader, image.environment),
        folder=GuestFolder(folder / who.serial), backing=image.disk, identity=who, shape=shape,
    )  # fmt: skip


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kib(pid: int) -> dict[str, int]:
    """Pss, SwapPss, Private_Dirty and AnonHugePages of a process."""
    wanted = ("Rss", "Pss", "SwapPss", "Private_Dirty", "AnonHugePages")
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return {name: found.get(name, 0) for name in wanted}


def monitor_text(qmp_socket: Path, command: str) -> str:
    """What qemu's own monitor says to a command, `info jit` for example."""
    with Monitor(qmp_socket) as monitor:
        monitor.ask("qmp_capabilities", timeout_s=10)
        words: dict[str, Any] = {"command-line": command}
        said = monitor.ask("human-monitor-command", timeout_s=10, **words)
        return str(said)


def template_for(image: FirmwareImage, shape: Shape, confinement: Confinement, var: Path,
                 port: int) -> Template:  # fmt: skip
    """The template of this firmware and shape, made when there is none."""
    wanted = launch(image, identity(0, port, template=True), var / "guests", shape)
    key = template_key(wanted, {"firmware": image.sha256})
    folder = var / "templates" / key
    if (folder / "manifest.json").exists():
        return load(folder, key=key)
    began = time.monotonic()
    made = make(wanted, confinement, folder, key=key, progress=print)
    print(f"template made in {time.monotonic() - began:.1f} s")
    return made


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("firmware", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--batch", type=int, default=4, help="clones started at once")
    parser.add_argument("--width", type=int, default=8, help="clones that have not reported yet")
    parser.add_argument("--port", type=int, default=14700)
    parser.add_argument("--var", type=Path, default=Path("/tmp/fleetdash-clones"))
    parser.add_argument("--tb-size", type=int, default=32)
    parser.add_argument("--memory", type=int, default=128)
    parser.add_argument("--settle", type=float, default=0.0, help="seconds to wait at the end")
    parser.add_argument("--jit", action="store_true", help="ask the last clone what it translated")
    parser.add_argument("--confined", action="store_true")
    parser.add_argument("--huge-pages", action="store_true")
    parser.add_argument("--merge", action="store_true", help="offer whole processes to KSM")
    parser.add_argument("--same-addresses", action="store_true", help="no address randomisation")
    options = parser.parse_args()
    if options.same_addresses:
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
    for sentence in set_for_guests(huge_pages=options.huge_pages, mergeable=options.merge):
        print(sentence)
    image = artifact.load(options.firmware.resolve())
    shape = Shape(memory_mib=options.memory, translation_buffer_mib=options.tb_size)
    confinement = Confinement()
    name = f"fleetdash-clones-{options.port}"
    if options.confined:
        confinement, missing = ensure_confinement(namespace=name, cgroup=name)
        for sentence in missing:
            print(sentence)
    if confinement.network_namespace is None:
        listening = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    else:
        listening = listen_in_namespace(confinement.network_namespace, "127.0.0.1", options.port)
    server = BareServer(listening)
    threading.Thread(target=server.run, daemon=True).start()
    template = template_for(image, shape, confinement, options.var, options.port)
    guests: dict[str, StartedGuest] = {}
    began_at: dict[str, float] = {}
    cpu_before = time.process_time()
    began = time.monotonic()
    try:
        while len(guests) < options.count:
            while len(guests) - len(server.at) > options.width - options.batch:
                server.arrived.clear()
                server.arrived.wait(5)
            some = [
                launch(image, identity(len(guests) + i + 1, options.port),
                       options.var / "guests", shape)
                for i in range(min(options.batch, options.count - len(guests)))
            ]  # fmt: skip
            for each in some:
                began_at[each.serial] = time.monotonic()
            for serial, outcome in clone_many(some, template, confinement).items():
                if not isinstance(outcome, StartedGuest):
                    raise SystemExit(str(outcome))
                guests[serial] = outcome
        while len(server.at) < len(guests) and time.monotonic() - began < 300:
            server.arrived.clear()
            server.arrived.wait(1)
        wall = max(server.at.values()) - began
        report(options, server, guests, began_at, wall, time.process_time() - cpu_before)
    finally:
        end_all([guest.identity for guest in guests.values()], deadline_s=30, grace_s=0)
        for serial in guests:
            shutil.rmtree(options.var / "guests" / serial, ignore_errors=True)
        template.close()
        if options.confined:
            remove_namespace(name)
            if confinement.cgroup is not None:
                remove_cgroup(confinement.cgroup)
    return 0


def report(
    options: argparse.Namespace,
    server: BareServer,
    guests: dict[str, StartedGuest],
    began_at: dict[str, float],
    wall: float,
    own_cpu: float,
) -> None:
    """Print what was measured."""
    pids = [guest.identity.pid for guest in guests.values()]
    waits = sorted(server.at[serial] - began_at[serial] for serial in server.at)
    said = {
        "clones": len(guests), "reported": len(server.at), "wall_s": round(wall, 2),
        "per_s": round(len(server.at) / wall, 2),
        "p50_s": round(waits[len(waits) // 2], 3), "p95_s": round(waits[len(waits) * 95 // 100], 3),
        "cpu_s_each": round(sum(map(cpu_s, pids)) / len(pids), 3),
        "own_cpu_s_each": round(own_cpu / len(pids), 4),
    }  # fmt: skip
    print(json.dumps(said))
    if options.settle:
        time.sleep(options.settle / 2)
        print("cpu_s_each", round(sum(map(cpu_s, pids)) / len(pids), 3))
        before, at = sum(map(cpu_s, pids)), time.monotonic()
        time.sleep(options.settle / 2)
        idle = (sum(map(cpu_s, pids)) - before) / (time.monotonic() - at) / len(pids)
        print(json.dumps({"idle_percent_each": round(100 * idle, 3)}))
    memory = [memory_kib(pid) for pid in pids]
    print(json.dumps({name + "_mib": round(sum(each[name] for each in memory) / len(pids) / 1024, 2)
                      for name in memory[0]}))  # fmt: skip
    last = sorted(guests)[-1]
    if options.jit:
        folder = GuestFolder(options.var / "guests" / last)
        print(monitor_text(folder.qmp_socket, "info jit"))
    print("load average", Path("/proc/loadavg").read_text().split()[0])


if __name__ == "__main__":
    raise SystemExit(main())
