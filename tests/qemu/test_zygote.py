"""Clones forked from a held process of the template."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.clone_loop import BareServer, identity, launch
from devices.firmware.artifact import FirmwareImage
from devices.qemu import fork_server, qmp, template
from devices.qemu.clone import clone, clone_many
from devices.qemu.confinement import ensure_confinement, remove_cgroup, remove_namespace
from devices.qemu.errors import GuestSpawnFailed
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.namespace import listen_in_namespace
from devices.qemu.process_identity import end_all
from devices.qemu.process_memory import set_for_guests
from devices.qemu.shape import Shape
from devices.qemu.template import Template
from devices.qemu.zygote import Zygote
from tests.firmware import stub_gateway
from tests.qemu.conftest import KEY

pytestmark = pytest.mark.guest

NAME = "fleetdash-test-zygote"
DEADLINE_S = 60.0


@dataclass
class Brood:
    """A template with a zygote, and the bare server its forked clones report to."""

    image: FirmwareImage
    template: Template
    confinement: Confinement
    server: BareServer
    rehearsed: stub_gateway.Seen
    folder: Path

    @property
    def zygote(self) -> Zygote:
        assert self.template.zygote is not None
        return self.template.zygote

    def launch(self, number: int) -> Launch:
        port = self.server.listening.getsockname()[1]
        return launch(self.image, identity(number, port), self.folder, Shape())

    def fork(self, *numbers: int) -> list[StartedGuest]:
        launches = [self.launch(number) for number in numbers]
        forked = []
        for outcome in clone_many(launches, self.template, self.confinement).values():
            assert isinstance(outcome, StartedGuest), outcome
            forked.append(outcome)
        return forked

    def wait_for_report(self, number: int) -> None:
        serial = self.launch(number).serial
        until = time.monotonic() + DEADLINE_S
        while serial not in self.server.at:
            assert time.monotonic() < until, f"{serial} did not report"
            time.sleep(0.02)

    def end_all(self) -> None:
        recorded = [GuestFolder(each).read_process() for each in self.folder.glob("c*")]
        end_all([each for each in recorded if each is not None], deadline_s=10.0, grace_s=0)


@pytest.fixture(scope="module")
def made(
    firmware: FirmwareImage, shown_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Brood]:
    folder = tmp_path_factory.mktemp("brood")
    set_for_guests()
    confinement, missing = ensure_confinement(namespace=NAME, cgroup=NAME)
    assert confinement.network_namespace is not None, missing
    listening, rehearsing = (
        listen_in_namespace(confinement.network_namespace, "127.0.0.1", 0) for _ in range(2)
    )
    server, seen = BareServer(listening, sockets_at_once=True), stub_gateway.Seen()
    threading.Thread(target=server.run, daemon=True).start()
    threading.Thread(target=stub_gateway._accept, args=(rehearsing, seen), daemon=True).start()
    port = listening.getsockname()[1]
    of = launch(firmware, identity(0, port, template=True), folder, Shape())
    kept = template.load(shown_template, key=KEY)
    rehearsal = replace(identity(1, rehearsing.getsockname()[1]), template="rehearse")
    kept.zygote = Zygote.start(
        of, kept, confinement, GuestFolder(folder / "zygote"), rehearsals=[rehearsal]
    )
    set_for_guests(huge_pages=True, mergeable=False)
    yield Brood(firmware, kept, confinement, server, seen, folder)
    kept.close()
    remove_namespace(NAME)
    if confinement.cgroup is not None:
        remove_cgroup(confinement.cgroup)


@pytest.fixture
def brood(made: Brood) -> Iterator[Brood]:
    yield made
    made.end_all()


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a monitor that is just being closed
            found[int(each.name)] = os.readlink(each)
    return found


def event_ids(pid: int) -> set[str]:
    found = set()
    for each in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found |= set(re.findall(r"eventfd-id: (\d+)", each.read_text()))
    return found


def status(pid: int, field: str) -> str:
    found = re.search(rf"^{field}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return found[1]


def test_it_rehearsed_with_a_gateway_before_anything_was_forked(brood: Brood) -> None:
    path, _, body = brood.rehearsed.reports.get(timeout=1)
    assert path.startswith("/api/status/c")
    assert body["start"] == "warm"
    assert brood.rehearsed.handshakes.get(timeout=1)["x-nh-key"] == path.rpartition("/")[2]


def test_forked_clones_report_as_themselves_and_draw_numbers_of_their_own(brood: Brood) -> None:
    brood.fork(1, 2)
    for number in (1, 2):
        brood.wait_for_report(number)
    serials = [brood.launch(number).serial for number in (1, 2)]
    until = time.monotonic() + DEADLINE_S
    while not set(serials) <= brood.server.masks.keys():
        assert time.monotonic() < until, "no socket was opened"
        time.sleep(0.05)
    assert brood.server.keys[serials[0]] != brood.server.keys[serials[1]]
    assert brood.server.masks[serials[0]] != brood.server.masks[serials[1]]


def test_a_forked_clone_is_confined_as_its_zygote_was_before_it_was_held(brood: Brood) -> None:
    (guest,) = brood.fork(3)
    pid = guest.identity.pid
    assert status(pid, "Seccomp") == "2"
    assert status(pid, "NoNewPrivs") == "1"
    assert status(pid, "TracerPid") == "0"
    assert status(pid, "CapEff").strip("0") == ""
    assert status(pid, "Uid").split()[0] == str(brood.confinement.uid)
    namespace = os.stat(brood.confinement.network_namespace or "").st_ino
    assert os.stat(f"/proc/{pid}/ns/net").st_ino == namespace
    assert status(pid, "PPid") == str(os.getpid())


def test_a_forked_clone_shares_no_event_socket_overlay_or_log(brood: Brood) -> None:
    first, second = brood.fork(4, 5)
    zygote = brood.zygote.process.pid
    assert event_ids(first.identity.pid)
    for one, other in ((first.identity.pid, second.identity.pid), (first.identity.pid, zygote)):
        assert not event_ids(one) & event_ids(other)
        sockets = [
            {target for target in descriptors(pid).values() if target.startswith("socket:")}
            for pid in (one, other)
        ]
        assert not sockets[0] & sockets[1]
    folder = brood.launch(4).folder
    own = {
        target
        for target in descriptors(first.identity.pid).values()
        if target.startswith(str(brood.folder)) and "template" not in target
    }
    assert own == {str(folder.overlay), str(folder.log)}


def test_ps_names_the_device_and_the_row_says_what_ps_does(brood: Brood) -> None:
    (guest,) = brood.fork(6)
    said = Path(f"/proc/{guest.identity.pid}/cmdline").read_bytes().split(b"\0")
    serial = brood.launch(6).serial
    assert f"guest={serial}" in guest.command_line
    assert said[2].decode().rstrip() == f"guest={serial}"
    assert Path(f"/proc/{guest.identity.pid}/comm").read_text().strip() == serial[:15]


def test_a_forked_clone_answers_its_own_monitor_and_survives_its_sibling(brood: Brood) -> None:
    first, _ = brood.fork(7, 8)
    first.identity.end(deadline_s=5.0, grace_s=0)
    answer = qmp.execute(brood.launch(8).folder.qmp_socket, "query-status")
    assert isinstance(answer, dict)
    assert answer["status"] == "running"


def test_a_forked_clone_keeps_its_threads_and_is_recorded(brood: Brood) -> None:
    (guest,) = brood.fork(9)
    own, zygotes = (
        Path(f"/proc/{pid}/task") for pid in (guest.identity.pid, brood.zygote.process.pid)
    )
    # the main loop, RCU, the monitor, the processor; threads for disk work end when idle
    until = time.monotonic() + 60
    while not 4 <= len(list(own.iterdir())) <= len(list(zygotes.iterdir())):
        assert time.monotonic() < until, "its threads are not those of the zygote"
        time.sleep(0.05)
    assert brood.launch(9).folder.read_process() == guest.identity


def test_only_a_forked_guests_own_memory_is_offered_to_be_merged(brood: Brood) -> None:
    (guest,) = brood.fork(15)
    offered = set()
    mapping = ""
    for line in Path(f"/proc/{guest.identity.pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-", line):
            mapping = line
        elif line.startswith("VmFlags:") and " mg" in line:
            offered.add(mapping.split()[5] if len(mapping.split()) > 5 else "anonymous")
    assert offered == {"/memfd:template"}


def test_a_child_nobody_wrote_down_ends_before_it_begins(brood: Brood) -> None:
    who = brood.launch(10)
    assert who.identity is not None
    reading, writing = os.pipe()
    descriptors = [os.open("/dev/null", os.O_RDWR) for _ in range(4)]
    os.close(writing)  # as when the worker ends
    request = fork_server.request(b"\n" * 512, who.serial)
    pid = brood.zygote._ask(request, [*descriptors, reading])
    for descriptor in (*descriptors, reading):
        os.close(descriptor)
    _, ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended) == 70


def test_its_user_can_neither_read_nor_write_the_zygote(brood: Brood) -> None:
    uid = brood.confinement.uid
    assert uid is not None
    for how in ("rb", "r+b"):
        tried = subprocess.run(
            ["python3", "-c", f"open('/proc/{brood.zygote.process.pid}/mem', '{how}')"],
            user=uid, group=brood.confinement.gid, extra_groups=[], capture_output=True, text=True,
        )  # fmt: skip
        assert "PermissionError" in tried.stderr


def test_an_identity_is_needed(brood: Brood) -> None:
    with pytest.raises(GuestSpawnFailed, match="no identity"):
        clone(replace(brood.launch(11), identity=None), brood.template, brood.confinement)
    assert not brood.launch(11).folder.path.exists()


def test_without_its_zygote_a_clone_starts_a_qemu_of_its_own(brood: Brood) -> None:
    of = launch(brood.image, identity(0, 1, template=True), brood.folder, Shape())
    zygote = Zygote.start(
        of, brood.template, brood.confinement, GuestFolder(brood.folder / "mortal")
    )
    mortal = replace(brood, template=replace(brood.template, zygote=zygote))
    (child,) = mortal.fork(12)
    assert "-incoming" in child.command_line
    assert child.forked
    os.kill(zygote.process.pid, signal.SIGKILL)
    (guest,) = mortal.fork(13)
    assert not guest.forked
    assert Path(f"/proc/{guest.identity.pid}/comm").read_text().startswith("qemu-system")
    mortal.wait_for_report(13)
    until = time.monotonic() + 30
    while zygote.is_alive() or zygote.process.is_alive():
        assert time.monotonic() < until, "the zygote's end was not noticed"
        time.sleep(0.05)
    assert child.identity.is_alive()
    zygote.close()


def test_the_bytes_of_the_server_are_those_of_its_source(tmp_path: Path) -> None:
    source = Path(fork_server.__file__).with_suffix(".s")
    subprocess.run(["as", source, "-o", tmp_path / "o"], check=True)
    subprocess.run(
        ["objcopy", "-O", "binary", "-j", ".text", tmp_path / "o", tmp_path / "bin"], check=True
    )
    assert (tmp_path / "bin").read_bytes() == fork_server.CODE
