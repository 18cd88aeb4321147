"""The agent's pure parts, by EUnit on the Erlang that the firmware is built with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devices.firmware.toolchain import Toolchain

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "guest/agent"
SUITES = sorted(path.stem for path in (AGENT / "test").glob("*_tests.erl"))


@pytest.fixture(scope="module")
def beams(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toolchain, Path]:
    """The agent and its tests, compiled."""
    tools = Toolchain.prepare(cache=ROOT / "var/cache", progress=lambda _: None)
    output = tmp_path_factory.mktemp("beams")
    for folder in ("src", "test"):
        tools.compile_erlang(sorted((AGENT / folder).glob("*.erl")), output)
    return tools, output


@pytest.mark.parametrize("suite", SUITES)
def test_eunit(suite: str, beams: tuple[Toolchain, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tools, output = beams
    monkeypatch.setenv("FLEETDASH_VECTORS", str(ROOT / "tests/guest/vectors.json"))
    run = f"case eunit:test({suite}, [verbose]) of ok -> halt(0); _ -> halt(1) end."
    said = tools.erlang(["-pa", str(output), "-eval", run], what=f"pass {suite}", cwd=output)
    assert "All" in said or "passed" in said, said


def test_every_module_says_what_it_is_for() -> None:
    for path in sorted(AGENT.glob("*/*.erl")):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("%%") or path.parent.name == "test", path
        assert len(text.splitlines()) <= 300, path


def test_scripts_may_be_run() -> None:
    for path in [*(ROOT / "guest/rootfs/sbin").iterdir(), ROOT / "guest/initramfs/init"]:
        assert os.access(path, os.X_OK), path
        assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n"), path
