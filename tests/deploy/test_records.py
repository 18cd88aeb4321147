from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetdash.deploy import records, run
from fleetdash.deploy.records import Record

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(flush=True); time.sleep(60)"
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_record_says_which_process_it_was(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    written = records.write(tmp_path, "web", sleeper.pid)
    assert records.read(tmp_path, "web") == written
    assert records.living(tmp_path, "web") == written
    sleeper.kill()
    sleeper.wait()
    assert records.living(tmp_path, "web") is None
    assert [each.name for each in records.recorded(tmp_path)] == ["web"]


def test_a_number_that_was_given_again_is_not_ended(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    true = records.write(tmp_path, "web", sleeper.pid)
    earlier = Record("web", true.boot_id, true.pid, true.start_time - 1, true.started_at)
    assert not earlier.is_alive()
    assert records.end([earlier], deadline_s=1) == []
    assert sleeper.poll() is None


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    records.path_of(tmp_path, "web").write_text('{"name": "web", "pi')
    assert records.read(tmp_path, "web") is None
    assert records.recorded(tmp_path) == []


def test_a_start_ends_its_predecessor_even_one_deaf_to_sigterm(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout
        deaf.stdout.readline()
        records.write(tmp_path, "web", deaf.pid)
        run.take_over(tmp_path, "web")
        assert deaf.wait(timeout=5) == -9
    own = records.living(tmp_path, "web")
    assert own is not None
    assert own.pid != deaf.pid


@pytest.mark.parametrize(
    ("started_ago_s", "pause_s"), [(0.0, 2.0), (1.5, 0.5), (2.0, 0.0), (3600.0, 0.0), (-9.0, 2.0)]
)
def test_a_process_that_ends_at_once_is_held_back(started_ago_s: float, pause_s: float) -> None:
    now = time.time()
    predecessor = Record("web", "", 1, 1, now - started_ago_s)
    assert run.pause_s(predecessor, now) == pytest.approx(pause_s)
    assert run.pause_s(None, now) == 0.0
