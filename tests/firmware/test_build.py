"""The whole build, without network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devices.firmware import artifact, build, packages
from devices.firmware.artifact import FirmwareImage
from devices.firmware.errors import BuildFailed, PackageUnavailable
from devices.firmware.packages import PackageCache
from devices.firmware.proof_guest import build_proof_guest
from devices.firmware.toolchain import Toolchain
from tests.fleet import CACHE


@pytest.fixture(autouse=True)
def no_network(firmware: FirmwareImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything was fetched for the firmware: from here on apt must not be needed."""

    def refuse(self: PackageCache) -> None:
        raise AssertionError("the build asked for the network")

    monkeypatch.setattr(PackageCache, "_update", refuse)


def built_in(output: Path, like: FirmwareImage, said: list[str]) -> FirmwareImage:
    return build.build_firmware(
        architecture=like.architecture, version=like.version, output=output, cache=CACHE,
        progress=said.append,
    )  # fmt: skip


def test_same_inputs_give_the_same_bytes_in_place_of_damaged_ones(
    firmware: FirmwareImage, tmp_path: Path
) -> None:
    subprocess.run(["cp", "-a", firmware.folder, tmp_path], check=True)
    (tmp_path / firmware.sha256 / firmware.bootloader.name).write_bytes(b"")
    said: list[str] = []
    again = built_in(tmp_path, firmware, said)
    assert again.sha256 == firmware.sha256
    assert artifact.load(again.folder, verify=True).sha256 == firmware.sha256
    for name in (*artifact.FILES, artifact.MANIFEST):
        assert (again.folder / name).read_bytes() == (firmware.folder / name).read_bytes(), name
    assert [path.name for path in tmp_path.iterdir()] == [firmware.sha256]
    assert said, "nothing was said about a build that took seconds"

    # A second call finds it.
    said.clear()
    found = built_in(tmp_path, firmware, said)
    assert found.sha256 == again.sha256
    assert said == []


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="no firmware for 'riscv64': use arm64 or x64"):
        build.build_firmware(
            architecture="riscv64",
            version="0.1.0",
            output=tmp_path,
            cache=CACHE,
            progress=lambda _: None,
        )


def test_a_damaged_package_is_not_used(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path, architecture="arm64", progress=lambda _: None)
    cache.folder.mkdir(parents=True)
    (cache.folder / "tool.deb").write_bytes(b"damaged")
    package = packages.Package("tool", "1", "arm64", "tool.deb", "0" * 64)
    with pytest.raises(PackageUnavailable, match=r"tool\.deb is damaged"):
        cache.unpack(package, tmp_path / "out")


def test_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageUnavailable, match="'mips'"):
        PackageCache(tmp_path, architecture="mips", progress=lambda _: None)


def test_a_failing_tool_says_what_it_printed(tmp_path: Path) -> None:
    tools = Toolchain.prepare(cache=CACHE, progress=lambda _: None)
    source = tmp_path / "wrong.erl"
    source.write_text("-module(wrong).\nf( -> ok.\n")
    with pytest.raises(BuildFailed, match=r"(?s)compile the agent.*syntax error"):
        tools.compile_erlang([source], tmp_path)


def test_tools_work_in_a_folder_with_a_space(tmp_path: Path) -> None:
    prepared = Toolchain.prepare(cache=CACHE, progress=lambda _: None)
    spaced = tmp_path / "a space"
    spaced.symlink_to(prepared.root)
    source = tmp_path / "right.erl"
    source.write_text("-module(right).\n")
    Toolchain(spaced, key="").compile_erlang([source], tmp_path)
    assert (tmp_path / "right.beam").exists()


def test_proof_guest_is_kept(tmp_path: Path) -> None:
    first = build_proof_guest(
        architecture="arm64", cache=CACHE, output=tmp_path, progress=lambda _: None
    )
    assert first.initramfs.read_bytes().startswith(b"070701")
    before = first.kernel.stat()
    second = build_proof_guest(
        architecture="arm64", cache=CACHE, output=tmp_path, progress=lambda _: None
    )
    assert second == first
    assert second.kernel.stat() == before
