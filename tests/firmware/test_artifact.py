from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices.firmware import artifact, layout
from devices.firmware.artifact import FirmwareImage
from devices.firmware.build import write_disk
from devices.firmware.errors import CorruptFirmware
from devices.firmware.packages import sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small firmware that looks like one."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in artifact.FILES:
        (raw / name).write_bytes(name.encode() * 100)
    files = {
        name: {"size": (raw / name).stat().st_size, "sha256": sha256_of(raw / name)}
        for name in artifact.FILES
    }
    sha256 = files[artifact.DISK]["sha256"]
    manifest = {
        "architecture": "arm64",
        "version": "1.0.0",
        "uuid": "u",
        "sha256": sha256,
        "files": files,
    }
    (raw / "manifest.json").write_text(json.dumps(manifest))
    return raw.rename(tmp_path / str(sha256))


def test_a_whole_one_loads(folder: Path) -> None:
    image = artifact.load(folder, verify=True)
    assert (image.architecture, image.version, image.sha256) == ("arm64", "1.0.0", folder.name)
    assert image.disk == folder / "disk.img"


@pytest.mark.parametrize("name", [*artifact.FILES, "manifest.json"])
def test_a_missing_file_is_said(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CorruptFirmware, match=f"{name}.*build"):
        artifact.load(folder)


@pytest.mark.parametrize("name", artifact.FILES)
def test_a_truncated_file_is_said(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"short")
    with pytest.raises(CorruptFirmware, match="has 5 bytes and should have"):
        artifact.load(folder)


@pytest.mark.parametrize("name", artifact.FILES)
def test_a_changed_byte_is_found_by_hashing(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(b"X" + content[1:])
    artifact.load(folder)
    with pytest.raises(CorruptFirmware, match="does not match its SHA-256"):
        artifact.load(folder, verify=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', '{"files": {"disk.img": {}}}'])
def test_a_broken_manifest_is_said(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(CorruptFirmware, match="manifest"):
        artifact.load(folder)


def test_a_renamed_folder_is_said(folder: Path) -> None:
    with pytest.raises(CorruptFirmware, match="folder's name"):
        artifact.load(folder.rename(folder.with_name("0" * 64)))


def test_the_disk_is_sparse_and_laid_out(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    write_disk(disk, disk_signature=1, environment=b"E" * 512, kernel=b"K" * 512, rootfs=b"R" * 512)
    assert disk.stat().st_size == layout.DISK_BYTES
    assert disk.stat().st_blocks * 512 < 1024 * 1024
    with disk.open("rb") as stream:
        for region, letter in (
            (layout.ENVIRONMENT, b"E"),
            (layout.KERNEL["a"], b"K"),
            (layout.ROOTFS["a"], b"R"),
            (layout.KERNEL["b"], b"\0"),
        ):
            stream.seek(region.offset)
            assert stream.read(1) == letter


def test_the_built_one_is_whole_and_says_what_it_is(firmware: FirmwareImage) -> None:
    image = artifact.load(firmware.folder, verify=True)
    variables = artifact.read_nerves_environment(image.disk)
    assert variables["nerves_fw_active"] == "a"
    assert variables["a.nerves_fw_uuid"] == image.uuid
    assert variables["a.kernel_lba"] == "272"
    assert image.manifest["packages"]["erlang-base"]
    assert image.disk.stat().st_mode & 0o004
