"""A standing clock, keepers of templates to test with, and what a killed worker leaves of one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from devices.qemu.guest_folder import no_device
from devices.qemu.process_identity import ProcessIdentity
from devices.services import guests, templates
from devices.services.template_keeper import Keeper


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes: however long a test takes, what it made is as old as it says."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.fixture
def folder(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where templates of arm64 lie; all keepers are new."""
    settings.VAR_DIR = tmp_path
    keepers = {architecture: Keeper(architecture) for architecture in templates.keepers}
    monkeypatch.setattr(templates, "keepers", keepers)
    for keeper in keepers.values():
        keeper.folder.mkdir(parents=True)
    return keepers["arm64"].folder


@pytest.fixture
def left_behind(
    folder: Path, request: pytest.FixtureRequest
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """What a worker that was killed leaves: a template's guest and a trial one, both running."""
    processes = []
    for kind in ("template", "trial"):
        name = no_device(kind, getattr(request, "param", "arm64"))
        process = subprocess.Popen(["sleep", "60"])
        identity = ProcessIdentity.of(process.pid)
        guests.folder(name).mkdir(parents=True)
        (guests.folder(name) / "process").write_text(
            f"{identity.boot_id} {identity.pid} {identity.start_time}\n"
        )
        processes.append(process)
    (folder / ".abc.4000000").mkdir()
    yield processes
    for process in processes:
        process.kill()
        process.wait()
