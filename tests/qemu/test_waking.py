"""What is told of clones that do not wake, and whose fault it may be. No guest is started."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devices.qemu import waking
from devices.qemu.clone import clone_many
from devices.qemu.errors import DidNotWake, DiskFull, GuestSpawnFailed, QemuError
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import BootloaderFiles, Confinement, Launch, StartedGuest
from devices.qemu.monitor import Monitor
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.spec import GuestSpec
from devices.qemu.template import Template
from devices.qemu.unix_socket import listen
from devices.qemu.waking import Waking

RESUMED = b'{"event": "RESUME"}\n'
REFUSED = b'{"error": {"class": "GenericError", "desc": "load of migration failed"}}\n'


def a_launch(folder: Path) -> Launch:
    return Launch("c1", "arm64", "tcg", BootloaderFiles(folder), GuestFolder(folder / "c1"))


def outcome(
    folder: Path, script: str, said: bytes = b"", spec: GuestSpec | None = None
) -> StartedGuest | QemuError:
    """What becomes of a clone whose process runs this, and says that on its monitor."""
    launch = a_launch(folder)
    launch.folder.create()
    child = subprocess.Popen(["sh", "-c", script])
    child.returncode = 0  # it is waited for by its pidfd
    with contextlib.closing(listen(launch.folder.qmp_socket)) as listening:
        monitor = Monitor(launch.folder.qmp_socket)
        with listening.accept()[0] as qemu:
            qemu.sendall(said)
            pidfd = os.pidfd_open(child.pid)
            begun = Waking(launch, [], monitor, pidfd, ProcessIdentity("", child.pid, 0), spec)
            return waking.wait_for([begun], deadline_s=60.0)["c1"]


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 1", b""), ("kill -ABRT $$", b""), ("exec sleep 60", REFUSED)],
)
def test_a_clone_that_ends_by_itself_or_refuses_may_have_a_bad_template(
    tmp_path: Path, script: str, said: bytes
) -> None:
    assert isinstance(outcome(tmp_path, script, said), DidNotWake)
    assert not a_launch(tmp_path).folder.path.exists()


def test_a_clone_that_was_killed_says_nothing_of_its_template(tmp_path: Path) -> None:
    found = outcome(tmp_path, "kill -KILL $$")
    assert isinstance(found, GuestSpawnFailed)
    assert not isinstance(found, DidNotWake)
    assert "signal SIGKILL" in str(found)


@pytest.mark.parametrize(("spec", "forked"), [(None, True), (object(), False)])
def test_a_started_clone_says_whether_it_was_forked(
    tmp_path: Path, spec: Any, forked: bool
) -> None:
    found = outcome(tmp_path, "exec sleep 60", RESUMED, spec)
    assert isinstance(found, StartedGuest)
    os.kill(found.identity.pid, signal.SIGKILL)
    assert found.forked is forked


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EMFILE, GuestSpawnFailed)],
)
def test_what_the_host_lacks_is_told_as_that(
    tmp_path: Path, number: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(waking, "begin", lacks)
    template = Template("key", tmp_path, -1, 0, tmp_path / "state")
    found = clone_many([a_launch(tmp_path)], template, Confinement())["c1"]
    assert type(found) is kind
