"""What a guest can reach and do, tried from inside a guest."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.qemu.confinement import (
    GUEST_USER,
    ensure_confinement,
    ensure_user,
    listen_in_namespace,
    missing_protections,
)
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import Confinement, KernelFiles, Launch
from tests.qemu.reach import Listener, answers, listener, own_address, running

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can confine guests")

# A documentation address of RFC 5737 would be answered by nobody anywhere, so a real one
OUTSIDE = "1.1.1.1:443"


@pytest.fixture
def on_host() -> Iterator[dict[str, Listener]]:
    """Web, Redis and another service on the host's loopback, one on its own address."""
    listeners = {name: listener(name) for name in ("web", "redis", "another")}
    address = own_address()
    if address is not None:
        listeners["neighbour"] = listener("neighbour", address)
    yield listeners
    for each in listeners.values():
        each.close()


def prober_launch(prober: KernelFiles, folder: Path, targets: list[str]) -> Launch:
    command_line = f"{prober.command_line} try={','.join(targets)}"
    return Launch(
        serial="prober", architecture="arm64", accelerator="tcg",
        boot=replace(prober, command_line=command_line), folder=GuestFolder(folder),
    )  # fmt: skip


def seen_from_guest(on_host: dict[str, Listener]) -> dict[str, str]:
    """Name → address as the guest would try it."""
    seen = {
        name: f"{own_address() if name == 'neighbour' else '10.0.2.2'}:{each.port}"
        for name, each in on_host.items()
    }
    return {**seen, "outside": OUTSIDE}


@root_only
@pytest.mark.guest
def test_a_guest_reaches_the_gateway_and_nothing_else(
    prober: KernelFiles, confinement: Confinement, on_host: dict[str, Listener], tmp_path: Path
) -> None:
    assert confinement.network_namespace is not None
    gateway = Listener(
        "gateway", listen_in_namespace(confinement.network_namespace, "127.0.0.1", 0)
    )
    tries = {"gateway": f"10.0.2.2:{gateway.port}", **seen_from_guest(on_host)}
    launch = prober_launch(prober, tmp_path / "guest", list(tries.values()))
    with running(launch, confinement) as guest:
        heard = answers(launch)
        assert {name: heard[address] for name, address in tries.items()} == {
            "gateway": "this is gateway",
            **dict.fromkeys([*on_host, "outside"], "nothing"),
        }
        check_rights(guest.identity.pid, confinement)
    assert gateway.connections == 1
    assert {name: each.connections for name, each in on_host.items()} == dict.fromkeys(on_host, 0)
    gateway.close()


def check_rights(pid: int, confinement: Confinement) -> None:
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":\t", 1) for line in (process / "status").read_text().splitlines()
        if ":\t" in line
    )  # fmt: skip
    user = pwd.getpwnam(GUEST_USER)
    assert status["Uid"].split() == [str(user.pw_uid)] * 4
    assert status["Gid"].split() == [str(user.pw_gid)] * 4
    assert status["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert os.readlink(process / "ns/net") != os.readlink("/proc/self/ns/net")
    assert os.getsid(pid) == pid != os.getsid(0)
    assert os.getpgid(pid) == pid
    assert int((process / "oom_score_adj").read_text()) > int(
        Path("/proc/self/oom_score_adj").read_text()
    )
    if confinement.cgroup is not None:
        assert str(pid) in (confinement.cgroup / "cgroup.procs").read_text().split()
        own = Path("/proc/self/cgroup").read_text()
        assert (process / "cgroup").read_text() != own


@pytest.mark.guest
def test_without_a_namespace_it_reaches_the_loopback(
    prober: KernelFiles, on_host: dict[str, Listener], tmp_path: Path
) -> None:
    """Shows that the test above can fail, and that its missing protection is worth a sentence."""
    tries = seen_from_guest(on_host)
    launch = prober_launch(prober, tmp_path / "guest", [tries[name] for name in on_host])
    with running(launch, Confinement()):
        heard = answers(launch)
    assert {name: heard[tries[name]] for name in on_host} == {
        name: f"this is {name}" for name in on_host
    }


@root_only
def test_all_is_found_again_the_second_time(confinement: Confinement) -> None:
    assert confinement.network_namespace is not None
    name = confinement.network_namespace.name
    again, missing = ensure_confinement(namespace=name, cgroup=name)
    assert again == confinement
    assert len(missing) == len(missing_protections(confinement))
    assert (confinement.cgroup is None) == any("control group" in each for each in missing)


@root_only
def test_the_guests_user_cannot_log_in() -> None:
    user = ensure_user(GUEST_USER)
    assert ensure_user(GUEST_USER) == user
    entry = pwd.getpwnam(GUEST_USER)
    assert entry.pw_shell == "/usr/sbin/nologin"
    assert 0 < user.uid < 1000


def test_each_missing_protection_has_its_sentence() -> None:
    sentences = missing_protections(Confinement())
    assert len(sentences) == 3
    for sentence, word in zip(sentences, ("user", "loopback", "control group"), strict=True):
        assert word in sentence
        assert "Run bin/up as root" in sentence
    complete = Confinement(Path("/run/netns/x"), 999, 999, Path("/sys/fs/cgroup/x"))
    assert missing_protections(complete) == []
    (only,) = missing_protections(replace(complete, cgroup=None), why={"cgroup": "it is read-only"})
    assert "it is read-only" in only


def test_without_root_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    confinement, missing = ensure_confinement(namespace="unused", cgroup="unused")
    assert confinement == Confinement()
    assert len(missing) == 3
