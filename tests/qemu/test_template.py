from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import mmap
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from devices.qemu import template
from devices.qemu.argv import guest_argv
from devices.qemu.errors import BadTemplate
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import BootloaderFiles, Confinement, Launch
from devices.qemu.shape import Shape
from devices.qemu.spec import Bootloader, GuestSpec, TemplateStart, WarmStart
from tests.open_files import open_files

KEY = "0" * 32
PUNCH_HOLE_KEEP_SIZE = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A template's folder as it is kept."""
    memory, state = bytes(8192) + b"memory" + bytes(4090), b"state"
    (tmp_path / "memory").write_bytes(memory)
    (tmp_path / "state").write_bytes(state)
    manifest = {
        "format": template.FORMAT, "key": KEY,
        "memory": {"size": len(memory), "sha256": hashlib.sha256(memory).hexdigest()},
        "state": {"size": len(state), "sha256": hashlib.sha256(state).hexdigest()},
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_it_comes_back_from_its_folder_sealed_against_everything(folder: Path) -> None:
    loaded = template.load(folder, key=KEY)
    try:
        assert os.pread(loaded.memory_fd, 6, 8192) == b"memory"
        # opened anew for writing, as whoever holds a mapping of it could
        again = os.open(f"/proc/self/fd/{loaded.memory_fd}", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        with pytest.raises(PermissionError):
            os.pwrite(again, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(again, 0)
        with pytest.raises(PermissionError):
            mmap.mmap(again, 4096, mmap.MAP_SHARED)
        place = (ctypes.c_long(8192), ctypes.c_long(4096))
        assert libc.fallocate(again, PUNCH_HOLE_KEEP_SIZE, *place) == -1
        assert ctypes.get_errno() == errno.EPERM
        os.close(again)
    finally:
        loaded.close()


@pytest.mark.parametrize("name", ["memory", "state", "manifest.json"])
def test_a_missing_part_is_a_bad_template(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadTemplate):
        template.load(folder, key=KEY)


@pytest.mark.parametrize("name", ["memory", "state", "manifest.json"])
def test_a_truncated_part_is_a_bad_template(folder: Path, name: str) -> None:
    os.truncate(folder / name, 3)
    with pytest.raises(BadTemplate):
        template.load(folder, key=KEY)


@pytest.mark.parametrize(("name", "offset"), [("memory", 4096), ("state", 2)])
def test_a_damaged_part_is_a_bad_template(folder: Path, name: str, offset: int) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(offset)
        file.write(b"!")
    before = open_files()
    with pytest.raises(BadTemplate, match="damaged"):
        template.load(folder, key=KEY)
    assert open_files() == before


def test_one_made_for_something_else_is_a_bad_template(folder: Path) -> None:
    with pytest.raises(BadTemplate, match="another"):
        template.load(folder, key="1" * 32)


def test_its_key_changes_with_what_it_depends_on(tmp_path: Path) -> None:
    launch = Launch("s", "arm64", "tcg", BootloaderFiles(tmp_path), GuestFolder(tmp_path))
    key = template.template_key(launch, {"firmware": "a"})
    assert key == template.template_key(replace(launch, serial="t"), {"firmware": "a"})
    assert key != template.template_key(launch, {"firmware": "b"})
    assert key != template.template_key(
        replace(launch, shape=Shape(memory_mib=96)), {"firmware": "a"}
    )


def test_a_failed_boot_leaves_nothing(tmp_path: Path) -> None:
    """The file is no boot-loader, so qemu ends or says nothing."""
    image = tmp_path / "empty"
    image.write_bytes(b"")
    launch = Launch("s", "arm64", "tcg", BootloaderFiles(image), GuestFolder(tmp_path / "g/s"))
    target = tmp_path / "templates" / KEY
    with pytest.raises(Exception, match="not a file with content"):
        template.make(launch, Confinement(), target, key=KEY)
    assert list((tmp_path / "templates").iterdir()) == []


def test_neither_template_nor_clone_can_discard_memory(tmp_path: Path) -> None:
    for start, share in ((TemplateStart(9), "share=on"), (WarmStart(9), "share=off")):
        argv = guest_argv(
            GuestSpec(
                serial="s", uuid=uuid4(), mac="02:00:00:00:00:01", architecture="arm64",
                accelerator="tcg", boot=Bootloader(3), qmp_fd=4, console_fd=5,
                shape=Shape(free_page_reporting=True), start=start,
            )
        )  # fmt: skip
        assert not any("balloon" in word for word in argv)
        assert any(share in word and "/proc/self/fd/9" in word for word in argv)


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_where_there_is_no_room_to_keep_it_that_is_said_and_nothing_is_left(
    little_room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boot(launch: Launch, confinement: Confinement, state: Path, progress: object) -> None:
        assert isinstance(launch.start, TemplateStart)
        os.pwrite(launch.start.memory_fd, os.urandom(8 << 20), 0)
        state.write_bytes(b"state")

    monkeypatch.setattr(template, "_boot_and_freeze", boot)
    launch = Launch(
        serial="t", architecture="arm64", accelerator="tcg",
        boot=BootloaderFiles(tmp_path / "u-boot.bin"), folder=GuestFolder(tmp_path / "guest"),
        shape=Shape(memory_mib=128),
    )  # fmt: skip
    with pytest.raises(BadTemplate, match=r"no room left in .*small, where up to 128 MiB"):
        template.make(launch, Confinement(), little_room / KEY, key=KEY)
    assert list(little_room.iterdir()) == []
