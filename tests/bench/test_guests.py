from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import guests, processes
from devices.qemu.process_identity import ProcessIdentity

SLEEPING = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPING, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # it has begun, with the memory that this takes
        yield process
        process.kill()


def test_devices_are_told_from_templates(
    tmp_path: Path, sleeping: subprocess.Popen[bytes]
) -> None:
    identity = ProcessIdentity.of(sleeping.pid)
    record = f"{identity.boot_id} {identity.pid} {identity.start_time}"
    for name in ("fd-000001", "zygote"):
        (tmp_path / "guests" / name).mkdir(parents=True)
        (tmp_path / "guests" / name / "process").write_text(record)
    (tmp_path / "guests" / "fd-000002").mkdir()
    assert guests.running(tmp_path) == {"fd-000001": identity}
    assert guests.templates(tmp_path) == [identity]
    assert guests.folders(tmp_path) == 2
    assert guests.memory_kib([sleeping.pid, 2**22 + 1])[0] > 100


def test_waiting_ends_with_the_last_process_or_the_deadline(
    sleeping: subprocess.Popen[bytes],
) -> None:
    identity = ProcessIdentity.of(sleeping.pid)
    assert guests.wait_until_gone([identity], 0.1) is None
    sleeping.kill()
    assert guests.wait_until_gone([identity], 5.0) is not None
    assert guests.wait_until_gone([], 0.0) is not None


def test_our_processes_are_found_by_their_records(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name, pid in (("web", os.getpid()), ("worker", 2**22 + 1)):
        (tmp_path / "run" / f"{name}.json").write_text(json.dumps({"pid": pid}))
    assert processes.recorded(tmp_path) == {"web": os.getpid()}
    before = processes.open_files(os.getpid())
    with (tmp_path / "file").open("w"):
        assert processes.open_files(os.getpid())["files"] == before["files"] + 1
