from __future__ import annotations

from pathlib import Path

import pytest

from devices.firmware.errors import PackageUnavailable
from devices.host.architecture import of_this_machine
from fleetdash.deploy import firmwares
from fleetdash.deploy.errors import DeployError


def test_devices_are_arm64_and_what_this_machine_is_unless_told() -> None:
    assert firmwares.wanted({}) == sorted({"arm64", of_this_machine()})
    assert firmwares.wanted({firmwares.VARIABLE: "arm64"}) == ["arm64"]
    assert firmwares.wanted({firmwares.VARIABLE: "x64"}) == ["arm64", "x64"]
    with pytest.raises(DeployError, match="names riscv; use arm64 and x64"):
        firmwares.wanted({firmwares.VARIABLE: "arm64, riscv"})


def test_without_the_other_firmware_the_fleet_comes_up_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"x64"}

    def build(*, architecture: str, **_: object) -> str:
        if architecture in missing:
            raise PackageUnavailable(f"no packages for {architecture}")
        return architecture

    monkeypatch.setattr(firmwares, "build_firmware", build)
    said: list[str] = []
    built = firmwares.build_all(["arm64", "x64"], output=tmp_path, cache=tmp_path, say=said.append)
    assert (list(built), said) == (["arm64"], ["no x64 devices: no packages for x64"])
    missing.add("arm64")
    with pytest.raises(PackageUnavailable, match="arm64"):
        firmwares.build_all(["arm64", "x64"], output=tmp_path, cache=tmp_path, say=said.append)


def test_what_interrupted_builds_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("arm64/.building-abc", "proof/.building-def", "x64/.replaced-ghi", "arm64/built"):
        (tmp_path / name / "packages").mkdir(parents=True)
    monkeypatch.setattr(firmwares, "build_firmware", lambda **_: None)
    firmwares.build_all(["arm64"], output=tmp_path, cache=tmp_path, say=lambda _: None)
    assert [each.name for each in tmp_path.glob("*/*")] == ["built"]
