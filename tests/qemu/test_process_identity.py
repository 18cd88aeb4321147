from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devices.qemu.errors import ProcessGone
from devices.qemu.process_identity import ProcessIdentity, end_all
from tests.open_files import open_files

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(flush=True); time.sleep(60)"
)


@contextmanager
def child(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_process_is_known_until_it_ends() -> None:
    with child("sleep", "60") as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity.is_alive()
        assert identity == ProcessIdentity.of(process.pid)
        assert identity.end(5.0)
        # its parent has not waited for it: a zombie
        assert not identity.is_alive()
        with pytest.raises(ProcessGone):
            identity.open_pidfd()
        with pytest.raises(ProcessGone):
            ProcessIdentity.of(process.pid)
        assert process.wait() == -signal.SIGTERM
    assert not identity.is_alive()


@pytest.mark.parametrize("change", ["boot_id", "start_time"])
def test_the_same_number_is_not_the_same_process(change: str) -> None:
    with child("sleep", "60") as process:
        real = ProcessIdentity.of(process.pid)
        other = (
            ProcessIdentity("another-boot", real.pid, real.start_time)
            if change == "boot_id"
            else ProcessIdentity(real.boot_id, real.pid, real.start_time - 1)
        )
        assert not other.is_alive()
        with pytest.raises(ProcessGone):
            other.signal(signal.SIGKILL)
        assert end_all([other], deadline_s=1.0) == []
        assert process.poll() is None


def test_no_descriptor_is_left() -> None:
    before = open_files()
    with child("sleep", "60") as process:
        identity = ProcessIdentity.of(process.pid)
        identity.signal(signal.SIGSTOP)
        stranger = ProcessIdentity(identity.boot_id, identity.pid, 1)
        with pytest.raises(ProcessGone):
            stranger.open_pidfd()
        identity.signal(signal.SIGCONT)
        assert end_all([identity, stranger], deadline_s=5.0) == []
    assert open_files() == before


def test_one_that_does_not_listen_is_killed() -> None:
    with child("python3", "-c", DEAF) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        assert ProcessIdentity.of(process.pid).end(20.0, grace_s=0.3)
        assert 0.25 < time.monotonic() - began < 15.0
        assert process.wait() == -signal.SIGKILL


def test_many_end_at_once() -> None:
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(600)]
    try:
        identities = [ProcessIdentity.of(each.pid) for each in processes]
        began = time.monotonic()
        assert end_all(identities + identities[:5], deadline_s=10.0) == []
        assert time.monotonic() - began < 5.0
    finally:
        for each in processes:
            each.kill()
            each.wait()
