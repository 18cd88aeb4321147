from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices.qemu import qmp
from devices.qemu.errors import (
    BadImage,
    DiskFull,
    GuestExists,
    GuestSpawnFailed,
    QemuMissing,
)
from devices.qemu.identity_file import Identity
from devices.qemu.launch import BootloaderFiles, Confinement, Launch
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.spawn import find_program, spawn
from tests.open_files import open_files

LaunchOf = Callable[[str], Launch]
SECRET = "k7Zb0Jc2rXxQk0lmY3m0m2W9tq4o8d1vJ6uQeRtYuIo"
UNCONFINED = Confinement()


def with_disk_and_identity(launch: Launch, tmp_path: Path) -> Launch:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(1 << 20)
    identity = Identity(
        serial=launch.serial, mac="02:00:00:00:00:07", hostname="device-7", secret=SECRET,
        gateway="10.0.2.2:4000", time=1_700_000_000, entropy="ab" * 32,
    )  # fmt: skip
    return replace(launch, backing=disk, identity=identity)


@pytest.mark.guest
def test_a_guest_runs_apart_from_whoever_started_it(launch_of: LaunchOf, tmp_path: Path) -> None:
    launch = with_disk_and_identity(launch_of("one"), tmp_path)
    before = open_files()
    guest = spawn(launch, UNCONFINED)
    process = Path(f"/proc/{guest.identity.pid}")

    assert guest.identity.is_alive()
    assert launch.folder.read_process() == guest.identity
    assert qmp.query_status(launch.folder.qmp_socket) == "running"
    assert os.getsid(guest.identity.pid) == guest.identity.pid != os.getsid(0)
    assert int((process / "oom_score_adj").read_text()) == 500
    assert os.readlink(process / "cwd") == "/"
    status = (process / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "Umask:\t0077" in status
    argv = (process / "cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    assert argv == guest.command_line

    # no secret where others could read it
    for place in ("cmdline", "environ"):
        assert SECRET.encode() not in (process / place).read_bytes()
    assert "ab" * 32 not in " ".join(guest.command_line)
    assert (process / "environ").read_bytes() in (b"", b"PWD=/\0")

    # exactly what it was given, and none of ours
    targets = [os.readlink(fd) for fd in (process / "fd").iterdir()]
    files = {target for target in targets if target.startswith("/") and target != "/dev/null"}
    assert files == {
        str(launch.folder.log), str(launch.folder.overlay), str(tmp_path / "disk.img"),
        str(launch.boot.image) if isinstance(launch.boot, BootloaderFiles) else "",
        "/memfd:identity (deleted)",
    }  # fmt: skip
    assert open_files() <= before + 2  # the reaper's epoll and its pidfd

    with pytest.raises(GuestExists, match=str(guest.identity.pid)):
        spawn(launch, UNCONFINED)
    assert guest.identity.end(10.0)
    until = time.monotonic() + 30
    while process.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not process.exists(), "nobody waited for it"


@pytest.mark.guest
def test_a_guest_outlives_a_killed_starter(launch_of: LaunchOf) -> None:
    launch = launch_of("orphan")
    assert isinstance(launch.boot, BootloaderFiles)
    code = f"""
import os, signal
from pathlib import Path
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import BootloaderFiles, Confinement, Launch
from devices.qemu.spawn import spawn
spawn(Launch(serial="orphan", architecture="arm64", accelerator="tcg",
    boot=BootloaderFiles(Path({str(launch.boot.image)!r})),
    folder=GuestFolder(Path({str(launch.folder.path)!r}))), Confinement())
os.killpg(0, signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], start_new_session=True, check=False)
    assert done.returncode == -signal.SIGKILL
    recorded = launch.folder.read_process()
    assert recorded is not None
    assert recorded.is_alive()
    assert qmp.query_status(launch.folder.qmp_socket) == "running"


@pytest.mark.guest
def test_what_qemu_said_is_told_and_nothing_is_left(launch_of: LaunchOf) -> None:
    launch = replace(launch_of("odd"), cpu_model="no-such-cpu")
    with pytest.raises(GuestSpawnFailed, match="unable to find CPU model 'no-such-cpu'"):
        spawn(launch, UNCONFINED)
    assert not launch.folder.path.exists()


def test_the_record_is_written_before_anything_can_go_wrong(tmp_path: Path) -> None:
    """A process that never becomes qemu is recorded all the same, with its true start time."""
    script = Path(__file__).parents[2] / "devices/qemu/spawn.sh"
    record = tmp_path / "process"
    process = subprocess.Popen(
        ["/bin/sh", script, record, "", "500", "2048", "/bin/sleep", "60"], env={}, cwd="/"
    )
    try:
        until = time.monotonic() + 30
        while not record.exists():
            assert time.monotonic() < until
        identity = ProcessIdentity.of(process.pid)
        assert record.read_text() == f"{identity.boot_id} {identity.pid} {identity.start_time}\n"
        assert not record.with_suffix(".new").exists()
    finally:
        process.kill()
        process.wait()


def test_a_group_that_cannot_be_joined_stops_it(launch_of: LaunchOf, tmp_path: Path) -> None:
    launch = launch_of("outside")
    with pytest.raises(GuestSpawnFailed, match="cgroup.procs"):
        spawn(launch, Confinement(cgroup=tmp_path / "no-group"))
    assert not launch.folder.path.exists()


def test_a_full_disk_is_said_before_anything_starts(launch_of: LaunchOf) -> None:
    launch = launch_of("large")
    with pytest.raises(DiskFull, match="free some space"):
        spawn(launch, UNCONFINED, least_free_mib=1 << 40)
    assert not launch.folder.path.exists()


def test_a_missing_image_is_said(launch_of: LaunchOf, tmp_path: Path) -> None:
    empty = tmp_path / "empty.bin"
    empty.touch()
    for image in (tmp_path / "none.bin", empty, tmp_path):
        launch = replace(launch_of("bare"), boot=BootloaderFiles(image))
        with pytest.raises(BadImage, match="build"):
            spawn(launch, UNCONFINED)
        assert not launch.folder.path.exists()


def test_a_missing_qemu_names_its_package(
    launch_of: LaunchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(QemuMissing, match="install Debian's qemu-system-arm"):
        spawn(launch_of("none"), UNCONFINED)
    with pytest.raises(QemuMissing, match="util-linux"):
        find_program("nsenter", "util-linux")
