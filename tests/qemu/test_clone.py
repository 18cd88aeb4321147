"""Clones of a real template: somebody each, and no danger to one another."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.clone_loop import BareServer, identity, launch
from devices.firmware.artifact import FirmwareImage
from devices.qemu import qmp, template
from devices.qemu.clone import clone, clone_many
from devices.qemu.errors import DidNotWake, GuestExists, QmpFailed
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.monitor import Monitor
from devices.qemu.namespace import listen_in_namespace
from devices.qemu.process_identity import end_all
from devices.qemu.shape import Shape
from devices.qemu.template import Template
from devices.qemu.unix_socket import connect
from tests.qemu.conftest import KEY

pytestmark = pytest.mark.guest

UNCONFINED = Confinement()
# of qemu's machine `virt`
RAM_STARTS = 0x4000_0000

# What one that broke out of a clone could try, with nothing but the guests' user: every way to the
# template's memory that /proc has, and every way to write it.
ATTACK = """
import ctypes, errno, json, mmap, os, sys
process, found = "/proc/" + sys.argv[1], {}
libc = ctypes.CDLL(None, use_errno=True)
places = [f"{process}/{folder}/{name}" for folder in ("fd", "map_files")
          for name in os.listdir(f"{process}/{folder}")]
def how(call, *arguments, **named):
    try:
        call(*arguments, **named)
        return "it worked"
    except OSError as error:
        return errno.errorcode[error.errno]
    except ValueError as error:
        return str(error)
def punch(descriptor):
    if libc.fallocate(descriptor, 3, ctypes.c_long(0), ctypes.c_long(1 << 20)):
        raise OSError(ctypes.get_errno(), "")
for place in places:
    if "memfd:template" not in os.readlink(place):
        continue
    try:
        descriptor = os.open(place, os.O_RDWR)
    except OSError:
        found[place] = "cannot be opened"
        continue
    found[place] = {
        "write": how(os.pwrite, descriptor, b"mine", 4096),
        "truncate": how(os.ftruncate, descriptor, 0),
        "punch": how(punch, descriptor),
        "map": how(mmap.mmap, descriptor, 4096, mmap.MAP_SHARED),
    }
print(json.dumps(found))
"""


@dataclass
class Nursery:
    """A template, a bare server its clones report to, and where they live."""

    image: FirmwareImage
    template: Template
    server: BareServer
    folder: Path

    def launch(self, number: int) -> Launch:
        port = self.server.listening.getsockname()[1]
        return launch(self.image, identity(number, port), self.folder, Shape())

    def wake(self, *numbers: int) -> dict[str, StartedGuest]:
        launches = [self.launch(number) for number in numbers]
        woken: dict[str, StartedGuest] = {}
        for serial, outcome in clone_many(launches, self.template, UNCONFINED).items():
            assert isinstance(outcome, StartedGuest), outcome
            woken[serial] = outcome
        return woken

    def end_all(self) -> None:
        """End the clones that run."""
        recorded = [GuestFolder(each).read_process() for each in self.folder.glob("c*")]
        end_all([each for each in recorded if each is not None], deadline_s=10.0, grace_s=0)

    def wait_for(self, what: dict[str, Any], serials: set[str], deadline_s: float = 60.0) -> None:
        until = time.monotonic() + deadline_s
        while not serials <= what.keys():
            assert time.monotonic() < until, f"{serials - what.keys()} said nothing"
            time.sleep(0.05)


def a_server(listening: socket.socket) -> BareServer:
    server = BareServer(listening, sockets_at_once=True)
    threading.Thread(target=server.run, daemon=True).start()
    return server


@contextlib.contextmanager
def nursery(
    image: FirmwareImage, folder: Path, how: Literal["shown", "unmixed"]
) -> Iterator[Nursery]:
    server = a_server(socket.create_server(("127.0.0.1", 0), backlog=64))
    who = replace(identity(0, server.listening.getsockname()[1], template=True), template=how)
    made = template.make(
        launch(image, who, folder, Shape()), UNCONFINED, folder / "templates" / KEY, key=KEY
    )
    yield Nursery(image, made, server, folder)
    made.close()


@pytest.fixture(scope="module")
def home(
    firmware: FirmwareImage, shown_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nursery]:
    server = a_server(socket.create_server(("127.0.0.1", 0), backlog=64))
    loaded = template.load(shown_template, key=KEY)
    yield Nursery(firmware, loaded, server, tmp_path_factory.mktemp("home"))
    loaded.close()


@pytest.fixture(autouse=True)
def nobody_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "home" in request.fixturenames:
        request.getfixturevalue("home").end_all()


def first_random_bytes(nursery: Nursery, *numbers: int) -> list[str]:
    """What clones print of their random device as soon as they are awake."""
    said: dict[int, str] = {}

    def listen(number: int) -> None:
        path = nursery.launch(number).folder.console_socket
        until = time.monotonic() + 60
        heard = ""
        while time.monotonic() < until and not re.search(r"random \w+\r?\n", heard):
            try:
                with contextlib.closing(connect(path)) as console:
                    console.setblocking(True)
                    console.settimeout(30)
                    while not re.search(r"random \w+\r?\n", heard):
                        heard += console.recv(4096).decode()
            except (OSError, TimeoutError):
                time.sleep(0.002)
        found = re.search(r"random (\w+)", heard)
        said[number] = found[1] if found else ""

    threads = [threading.Thread(target=listen, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    nursery.wake(*numbers)
    for thread in threads:
        thread.join()
    assert all(len(text) == 64 for text in said.values()), said
    return list(said.values())


def test_clones_have_random_numbers_of_their_own(home: Nursery) -> None:
    assert len(set(first_random_bytes(home, 11, 12))) == 2


def test_x64_clones_are_somebody_of_their_own_too_and_reboot_through_the_boot_loader(
    x64_firmware: FirmwareImage, tmp_path: Path
) -> None:
    with nursery(x64_firmware, tmp_path, "shown") as home:
        try:
            assert len(set(first_random_bytes(home, 1, 2))) == 2
            who = home.launch(1)
            home.wait_for(home.server.at, {who.serial})
            assert b'"warm"' in home.server.first[who.serial]
            filters = qmp.execute(who.folder.qmp_socket, "query-rx-filter")
            assert isinstance(filters, list)
            assert filters[0]["main-mac"] == who.mac
            del home.server.at[who.serial], home.server.first[who.serial]
            qmp.execute(who.folder.qmp_socket, "system_reset")
            home.wait_for(home.server.at, {who.serial})
            assert b'"cold"' in home.server.first[who.serial]
        finally:
            home.end_all()


def digest(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return hashlib.sha256(os.pread(descriptor, size, 0)).hexdigest()


def test_each_clone_is_somebody_of_its_own(home: Nursery) -> None:
    before = digest(home.template.memory_fd)
    woken = home.wake(1, 2)
    home.wait_for(home.server.at, set(woken))
    for number in (1, 2):
        who = home.launch(number)
        request = home.server.first[who.serial].decode()
        body = json.loads(request.partition("\r\n\r\n")[2])
        assert body["start"] == "warm"
        assert body["uuid"] == home.image.uuid
        filters = qmp.execute(who.folder.qmp_socket, "query-rx-filter")
        assert isinstance(filters, list)
        assert filters[0]["main-mac"] == who.mac
    home.wait_for(home.server.masks, set(woken))
    keys = [home.server.keys[serial] for serial in woken]
    assert len(set(keys)) == 2
    assert len({home.server.masks[serial] for serial in woken}) == 2
    end_all([guest.identity for guest in woken.values()], deadline_s=10, grace_s=0)
    # whatever they wrote and freed, what the next clone wakes from is the same
    assert digest(home.template.memory_fd) == before


def memory_of(who: Launch, file: Path) -> str:
    """A digest of a stopped guest's memory."""
    size = who.shape.memory_mib << 20
    with Monitor(who.folder.qmp_socket) as monitor:
        monitor.ask("qmp_capabilities", timeout_s=10)
        monitor.ask("pmemsave", timeout_s=30, val=RAM_STARTS, size=size, filename=str(file))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    return found


def test_a_clone_that_reboots_changes_neither_template_nor_another_clone(
    home: Nursery, tmp_path: Path
) -> None:
    """It writes and frees nearly all of its memory, and reads the rest as its own."""
    woken = home.wake(7, 8)
    rebooted, other = home.launch(7), home.launch(8)
    home.wait_for(home.server.at, set(woken))
    for who in (rebooted, other):
        with pytest.raises(QmpFailed, match="[Bb]alloon"):
            qmp.execute(who.folder.qmp_socket, "query-balloon")
    qmp.execute(other.folder.qmp_socket, "stop")
    template_before = digest(home.template.memory_fd)
    other_before = memory_of(other, tmp_path / "memory")
    del home.server.at[rebooted.serial], home.server.first[rebooted.serial]
    qmp.execute(rebooted.folder.qmp_socket, "system_reset")
    home.wait_for(home.server.at, {rebooted.serial})
    assert b'"cold"' in home.server.first[rebooted.serial]
    assert digest(home.template.memory_fd) == template_before
    assert memory_of(other, tmp_path / "memory") == other_before
    qmp.execute(rebooted.folder.qmp_socket, "stop")
    assert memory_of(rebooted, tmp_path / "memory") != other_before


def test_without_entropy_of_their_own_clones_agree(
    firmware: FirmwareImage, tmp_path: Path
) -> None:
    """This is what the mixing is for; without it the test above could pass by luck.

    A guest's kernel reseeds by itself some seconds after the freeze, and uses up random numbers of
    its own when a timer fires: on a busy machine not all agree, and not those of every template.
    By chance no two ever would.
    """
    for attempt in range(4):
        with nursery(firmware, tmp_path / str(attempt), "unmixed") as bare:
            try:
                said = first_random_bytes(bare, *range(1, 7))
            finally:
                bare.end_all()
        if len(set(said)) < len(said):
            return
    pytest.fail(f"clones without entropy of their own agreed in no attempt; lately: {said}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a guest's rights away")
def test_a_clone_has_every_protection_and_cannot_write_the_template(
    home: Nursery, confinement: Confinement
) -> None:
    assert confinement.network_namespace is not None
    port = home.server.listening.getsockname()[1]
    inside = a_server(listen_in_namespace(confinement.network_namespace, "127.0.0.1", port))
    who = home.launch(3)
    guest = clone(who, home.template, confinement)
    home.wait_for(inside.at, {who.serial})
    process = Path(f"/proc/{guest.identity.pid}")
    status = (process / "status").read_text()
    assert f"Uid:\t{confinement.uid}\t{confinement.uid}" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    assert (process / "ns/net").stat().st_ino == confinement.network_namespace.stat().st_ino
    lines = (process / "maps").read_text().splitlines()
    kinds = [line.split()[1] for line in lines if "memfd:template" in line]
    assert kinds
    assert all(kind.endswith("p") for kind in kinds), "mapped shared"
    before = digest(home.template.memory_fd)
    assert confinement.uid is not None
    tried = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", ATTACK, str(guest.identity.pid)],
        user=confinement.uid, group=confinement.gid, extra_groups=[], cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    outcomes = json.loads(tried.stdout or "null")
    assert outcomes, f"nothing was there to be tried: {tried.stderr}"
    ways = {"write", "truncate", "punch", "map"}
    for place, found in outcomes.items():
        assert found in ("cannot be opened", dict.fromkeys(ways, "EPERM")), place
    assert any(isinstance(found, dict) for found in outcomes.values()), outcomes
    assert digest(home.template.memory_fd) == before


def test_a_running_guest_is_not_started_again_and_stays(home: Nursery) -> None:
    (guest,) = home.wake(4).values()
    with pytest.raises(GuestExists):
        clone(home.launch(4), home.template, UNCONFINED)
    assert guest.identity.is_alive()


def test_a_state_that_qemu_cannot_read_leaves_no_guest(home: Nursery, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_bytes(home.template.state.read_bytes()[:1000])
    who = home.launch(5)
    with pytest.raises(DidNotWake):
        clone(who, replace(home.template, state=state), UNCONFINED)
    assert not who.folder.path.exists()
