from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from devices.firmware import uboot_env
from devices.firmware.errors import BadEnvironment

VARIABLES = {"nerves_fw_active": "a", "a.kernel_args": "quiet root=/dev/vda1", "empty": ""}


def test_round_trip_leaves_out_what_is_empty() -> None:
    raw = uboot_env.encode(VARIABLES)
    assert len(raw) == 128 * 1024
    assert uboot_env.decode(raw) == {key: value for key, value in VARIABLES.items() if value}


def test_checksum_covers_everything_after_it() -> None:
    raw = uboot_env.encode(VARIABLES)
    assert int.from_bytes(raw[:4], "little") == zlib.crc32(raw[4:])
    for position in (0, 4, 40, len(raw) - 1):
        torn = bytearray(raw)
        torn[position] ^= 1
        with pytest.raises(BadEnvironment, match="checksum"):
            uboot_env.decode(bytes(torn))


def test_truncated_is_refused() -> None:
    with pytest.raises(BadEnvironment):
        uboot_env.decode(b"\0\0\0\0")


def test_no_variables_is_an_environment() -> None:
    assert uboot_env.decode(uboot_env.encode({})) == {}


@pytest.mark.parametrize("name", ["", "a=b", "a\0b", "naïve"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(BadEnvironment):
        uboot_env.encode({name: "1"})


def test_nul_in_a_value_is_refused() -> None:
    with pytest.raises(BadEnvironment, match="NUL"):
        uboot_env.encode({"name": "a\0b"})


def test_too_much_is_refused_and_exactly_enough_fits() -> None:
    room = 64 - 4 - len("n=") - 2
    assert uboot_env.decode(uboot_env.encode({"n": "x" * room}, size=64)) == {"n": "x" * room}
    with pytest.raises(BadEnvironment, match="needs 61 bytes and has 60"):
        uboot_env.encode({"n": "x" * (room + 1)}, size=64)


@pytest.mark.skipif(shutil.which("mkenvimage") is None, reason="u-boot-tools is not installed")
def test_same_bytes_as_mkenvimage(tmp_path: Path) -> None:
    source, image = tmp_path / "text", tmp_path / "image"
    source.write_text("a=1\nb=two words\n")
    command = ["mkenvimage", "-s", "4096", "-p", "0x00", "-o", str(image), str(source)]
    subprocess.run(command, check=True)
    assert uboot_env.encode({"b": "two words", "a": "1"}, size=4096) == image.read_bytes()
