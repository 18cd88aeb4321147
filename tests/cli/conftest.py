from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.served import CHECKOUT, Served

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**more: str) -> dict[str, str]:
    """The environment without any fleet in it."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("FLEETDASH_")}
    return {**kept, "COLUMNS": "100", **more}


def run_fleet(
    *arguments: str, folder: Path, timeout_s: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run bin/fleet with a var folder."""
    return subprocess.run(
        [str(CHECKOUT / "bin" / "fleet"), *arguments],
        env=environment(FLEETDASH_VAR=str(folder), **more),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@pytest.fixture
def run(web: Served) -> Run:
    """Run bin/fleet against the web process."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_fleet(*arguments, folder=web.folder, timeout_s=60, **more)

    return run
