from __future__ import annotations

from pathlib import Path

import pytest

from devices.qemu.errors import DiskMissing
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity


def test_it_is_made_empty_for_its_owner_only(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / "guests" / "000000000001")
    folder.create()
    folder.log.write_text("of an earlier guest")
    folder.create()
    assert list(folder.path.iterdir()) == []
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_the_process_record_is_read_back(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / "a")
    assert folder.read_process() is None
    folder.create()
    assert folder.read_process() is None
    folder.process.write_text("36fcd9d7-0fd4-4b7c-b293-f96e1768d74d 26994 249317\n")
    assert folder.read_process() == ProcessIdentity(
        "36fcd9d7-0fd4-4b7c-b293-f96e1768d74d", 26994, 249317
    )
    folder.process.write_text("36fcd9d7-0fd4")
    assert folder.read_process() is None


def test_the_last_lines_of_the_log(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / "a")
    assert folder.last_log_lines() == ""
    folder.create()
    folder.log.write_text("x" * 9000 + "\nfirst\n\n  second  \nthird\n")
    assert folder.last_log_lines(2) == "second third"


def test_a_log_that_grew_is_emptied(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / "a")
    folder.trim_log()
    folder.create()
    with folder.log.open("ab") as log:
        log.write(b"x" * 1000)
        log.flush()
        folder.trim_log(limit_bytes=1000)
        assert folder.log.stat().st_size == 1000
        folder.trim_log(limit_bytes=999)
        log.write(b"more")
    assert folder.log.read_bytes() == b"more"


def test_a_guest_that_starts_again_finds_its_disk_and_nothing_else(tmp_path: Path) -> None:
    folder = GuestFolder(tmp_path / "a")
    with pytest.raises(DiskMissing, match="remove the device and add another"):
        folder.create(keep_disk=True)
    folder.create()
    folder.overlay.write_bytes(b"disk")
    folder.process.write_text("x 1 1\n")
    folder.qmp_socket.touch()
    folder.create(keep_disk=True)
    assert [each.name for each in folder.path.iterdir()] == ["overlay.qcow2"]
    assert folder.overlay.read_bytes() == b"disk"
