"""The API against its own OpenAPI document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.served import ROWS, Served

# a host that can run what is asked for, and devices to ask something of
FLEET = ROWS + """
Host.objects.update(accelerators={"arm64": {"accelerator": "tcg"}})
devices(["fd-000001", "fd-000002"], "online")
"""
# without a worker a lever's answer is 503, and the token must outlive the run
LEFT_OUT = (
    "--exclude-path", "/api/v1/events",
    "--exclude-path-regex", "/levers/",
    "--exclude-operation-id", "tokens_revoke",
)  # fmt: skip


@pytest.mark.timeout(180)
def test_it_answers_as_it_says_whatever_it_is_asked(empty: Served, tmp_path: Path) -> None:
    empty.python(FLEET)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"), "run",
            f"{empty.url}/api/v1/openapi.json", "-H", f"Authorization: Bearer {empty.token}",
            "--phases", "fuzzing", "--max-examples", "2", "--seed", "1", "--no-shrink",
            "--exclude-checks", "positive_data_acceptance", "--warnings", "off", "--no-color",
            *LEFT_OUT,
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
