"""A template that is somebody for a while, and freezes again with nothing of it left."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.clone_loop import identity, launch
from devices.firmware.artifact import FirmwareImage
from devices.qemu import qmp, template
from devices.qemu.clone import clone
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, encode
from devices.qemu.launch import Confinement, Launch
from devices.qemu.process_identity import end_all
from devices.qemu.shape import Shape
from devices.qemu.template import Template
from devices.qemu.unix_socket import connect
from tests.api.served import free_port
from tests.firmware.stub_gateway import Seen, gateway
from tests.qemu.conftest import KEY

pytestmark = pytest.mark.guest



@dataclass
class Stage:
    """A template that rehearsed while it was made, and the gateway that saw it."""

    image: FirmwareImage
    template: Template
    seen: Seen
    port: int
    folder: Path
    first_key: str

    def launch(self, who: Identity) -> Launch:
        return launch(self.image, who, self.folder, Shape())


@pytest.fixture(scope="module")
def stage(firmware: FirmwareImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    port = free_port()
    with gateway(port) as seen:
        who = replace(identity(0, port, template=True), template="rehearse")
        made = template.make(
            launch(firmware, who, folder, Shape()), Confinement(), folder / "t" / KEY, key=KEY
        )
        yield Stage(firmware, made, seen, port, folder, rehearsed(seen, "template"))
        recorded = [GuestFolder(each).read_process() for each in folder.glob("c*")]
        end_all([each for each in recorded if each is not None], deadline_s=10.0, grace_s=0)
        made.close()


@pytest.fixture(autouse=True)
def nothing_heard_yet(stage: Stage) -> None:
    """What the guests of another test said is none of this one's business."""
    for heard in (stage.seen.reports, stage.seen.handshakes, stage.seen.messages):
        while not heard.empty():
            heard.get()


def rehearsed(seen: Seen, serial: str) -> str:
    """Sees a whole rehearsal to its end; gives the key of its socket."""
    path, _, body = seen.reports.get(timeout=60)
    assert path == f"/api/status/{serial}"
    assert body["start"] == "warm"
    handshake = seen.handshakes.get(timeout=60)
    assert handshake["x-nh-key"] == serial
    seen.message("phx_join", topic="device")
    seen.message("heartbeat")
    seen.message("health:report")
    seen.sockets[-1].settimeout(30)
    ended = time.monotonic() + 30
    while seen.sockets[-1].recv(4096):
        assert time.monotonic() < ended, "the socket was left open"
    while not seen.messages.empty():
        seen.messages.get()
    return handshake["sec-websocket-key"]


def become(who: Launch, pid: int, old: Identity, new: Identity) -> None:
    """Put another identity into a running guest's `fw_cfg`, while it is stopped."""
    qmp.execute(who.folder.qmp_socket, "stop")
    places = 0
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split()
            # the guest's own copies lie in memfds and stay
            if not words[1].startswith("rw") or (len(words) > 5 and words[5] != "[heap]"):
                continue
            start, end = (int(word, 16) for word in words[0].split("-"))
            memory.seek(start)
            content = memory.read(end - start)
            for match in re.finditer(re.escape(encode(old)), content):
                memory.seek(start + match.start())
                memory.write(encode(new))
                places += 1
    assert places > 0
    qmp.execute(who.folder.qmp_socket, "cont")


def wait_until_ready(who: Launch) -> str:
    """What the console says up to the line of a frozen template."""
    said = b""
    with connect(who.folder.console_socket) as console:
        console.setblocking(True)
        console.settimeout(60)
        while template.READY not in said:
            said += console.recv(4096)
    return said.decode()


def test_a_template_rehearses_as_often_as_it_is_told_and_wakes_as_another(stage: Stage) -> None:
    keys = {stage.first_key}
    first, second = (
        replace(identity(number, stage.port), template="rehearse") for number in (1, 2)
    )
    last = identity(3, stage.port)
    who = stage.launch(first)
    guest = clone(who, stage.template, Confinement())
    said = wait_until_ready(who)
    keys.add(rehearsed(stage.seen, first.serial))
    assert "fleetdash: rehearsed" in said
    become(who, guest.identity.pid, first, second)
    wait_until_ready(who)
    keys.add(rehearsed(stage.seen, second.serial))
    become(who, guest.identity.pid, second, last)
    path, headers, _ = stage.seen.reports.get(timeout=60)
    assert path == f"/api/status/{last.serial}"
    assert headers["authorization"] == f"Bearer {last.secret}"
    handshake = stage.seen.handshakes.get(timeout=60)
    assert handshake["x-nh-key"] == last.serial
    assert handshake["sec-websocket-key"] not in keys
    filters = qmp.execute(who.folder.qmp_socket, "query-rx-filter")
    assert isinstance(filters, list)
    assert filters[0]["main-mac"] == last.mac
    guest.identity.end(deadline_s=10)


def test_clones_of_a_rehearsed_template_draw_numbers_of_their_own(stage: Stage) -> None:
    guests = [clone(stage.launch(identity(number, stage.port)), stage.template, Confinement())
              for number in (11, 12, 13)]  # fmt: skip
    handshakes = [stage.seen.handshakes.get(timeout=60) for _ in guests]
    assert len({handshake["x-nh-key"] for handshake in handshakes}) == 3
    assert len({handshake["sec-websocket-key"] for handshake in handshakes}) == 3
    end_all([guest.identity for guest in guests], deadline_s=10, grace_s=0)


def test_a_rehearsal_that_fails_says_so_and_freezes_again(stage: Stage) -> None:
    nobody = replace(identity(21, free_port()), template="rehearse")
    who = stage.launch(nobody)
    guest = clone(who, stage.template, Confinement())
    assert "fleetdash: rehearsal failed: the report" in wait_until_ready(who)
    guest.identity.end(deadline_s=10)
