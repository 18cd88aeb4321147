from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench import sampling
from tests.bench.test_plots import ROWS
from tests.fleet import CHECKOUT


def run_bench(*arguments: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: v for name, v in os.environ.items() if not name.startswith("FLEETDASH_")}
    return subprocess.run(
        [str(CHECKOUT / "bin" / "bench"), *arguments],
        env={**kept, "FLEETDASH_VAR": str(folder), **more},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("name", ["launch", "idle", "density", "cycle"])
def test_without_a_fleet_it_says_what_to_do(name: str, tmp_path: Path) -> None:
    done = run_bench(name, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "✗ no running fleet is known here; run bin/up first" in done.stdout


def test_pages_need_the_password(tmp_path: Path) -> None:
    done = run_bench("pages", folder=tmp_path)
    assert done.returncode == 1
    assert "✗ set FLEETDASH_ADMIN_PASSWORD to the admin's password" in done.stdout


def test_plots_are_drawn_again_from_samples(tmp_path: Path) -> None:
    sampling.write(ROWS, tmp_path / "density.csv")
    done = run_bench("plots", "--out", str(tmp_path), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each.name for each in tmp_path.glob("*.svg")} == {
        "online.svg", "launch-rate.svg", "memory.svg", "cpu.svg",
    }  # fmt: skip
