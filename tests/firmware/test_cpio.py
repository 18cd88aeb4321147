from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from devices.firmware import cpio

ENTRIES = [
    cpio.directory("bin"),
    cpio.file("bin/tool", b"\x7fELF!", executable=True),
    cpio.symlink("bin/sh", "tool"),
    cpio.file("empty", b""),
]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_unpacks_it(tmp_path: Path) -> None:
    archive = cpio.encode(ENTRIES)
    command = ["cpio", "--extract", "--quiet"]
    subprocess.run(command, input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "bin/tool").read_bytes() == b"\x7fELF!"
    assert stat.S_IMODE((tmp_path / "bin/tool").stat().st_mode) == 0o755
    assert (tmp_path / "bin/sh").readlink() == Path("tool")
    assert (tmp_path / "empty").read_bytes() == b""


def test_same_entries_same_bytes_and_aligned() -> None:
    archive = cpio.encode(ENTRIES)
    assert archive == cpio.encode(list(ENTRIES))
    assert archive.startswith(b"070701")
    assert archive.rstrip(b"\0").endswith(b"TRAILER!!!")
    assert len(archive) % 4 == 0


def test_a_device_has_its_numbers() -> None:
    archive = cpio.encode([cpio.character_device("dev/console", 5, 1)])
    fields = [archive[6 + 8 * at : 14 + 8 * at] for at in range(13)]
    assert (int(fields[9], 16), int(fields[10], 16)) == (5, 1)
    assert stat.S_ISCHR(int(fields[1], 16))
