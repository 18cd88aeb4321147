from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetdash.deploy import becoming, records
from fleetdash.deploy.records import Record
from fleetdash.deploy.run import BACK_OFF_S

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(flush=True); time.sleep(60)"
)


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
        becoming.take_over(tmp_path, "web")
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
    assert becoming.pause_s(predecessor, now) == pytest.approx(pause_s)
    assert becoming.pause_s(None, now) == 0.0


def test_a_record_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _text: str) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        records.write(tmp_path, "web", sleeper.pid)
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_even_be_started_is_held_back_too() -> None:
    bad = {
        "FLEETDASH_PORT": ("many", "beat: FLEETDASH_PORT='many' is not a whole number"),
        "FLEETDASH_VAR": ("/dev/null", "beat: /dev/null"),
    }
    began = time.monotonic()
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "fleetdash.deploy.run", "beat"],
            env={"PATH": os.environ["PATH"], name: value},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (value, _) in bad.items()
    ]
    for process, (_, said) in zip(started, bad.values(), strict=True):
        _, heard = process.communicate(timeout=60)
        assert (process.returncode, said in heard, "Traceback" in heard) == (1, True, False), heard
        assert time.monotonic() - began > BACK_OFF_S
