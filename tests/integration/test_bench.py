"""The benches with real devices: what they find, and that they leave nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from devices.qemu.namespace import namespace_path
from tests.fleet import CHECKOUT, Fleet
from tests.integration.test_life import operate, wait_until

pytestmark = pytest.mark.guest


def left_by_raw_loops() -> set[str]:
    names = [*Path(tempfile.gettempdir()).glob("fleetdash-raw-*")]
    names += [*namespace_path("x").parent.glob("fleetdash-bench-*")]
    return {str(name) for name in names}


def test_the_fleet_and_the_bare_loop_are_measured_in_one_run(fleet: Fleet) -> None:
    wait_until(fleet.template_is_ready, 90)
    before = left_by_raw_loops()
    done = fleet.run(
        "bin/bench", "launch", "--count", "3", "--raw", "3", "--width", "2", "--calm", "0",
        "--json", timeout_s=180,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, found["problems"]) == (0, []), done.stderr
    assert found["values"]["fleet"]["online"] == 3
    assert found["values"]["raw_clone_loop"]["width_2"]["reported"] == 3
    assert found["values"]["raw_clone_loop"]["fleet_to_raw"] > 0
    assert found["values"]["removal"]["seconds_to_no_process"] < 20
    assert [row["reach"] for row in found["rows"]] == ["–", "–", "0.75"]
    assert left_by_raw_loops() == before
    assert fleet.api("GET", "summary")["total"] == 0


def test_interrupted_it_prints_what_it_has_and_clears_away(fleet: Fleet) -> None:
    wait_until(fleet.template_is_ready, 90)
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "bench"), "idle", "--count", "2", "--seconds", "600"],
        env=fleet.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: fleet.api("GET", "summary")["online"] == 2, 60)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "available mib when empty" in said
    assert "✗ interrupted" in said
    assert fleet.api("GET", "summary")["total"] == 0


def test_devices_that_are_there_are_not_removed_unasked(fleet: Fleet) -> None:
    wait_until(fleet.template_is_ready, 90)
    operate(fleet, "add", 1)
    try:
        done = fleet.run("bin/bench", "launch", "--count", "1")
        assert done.returncode == 1
        assert "✗ the fleet is not empty (devices: 1)" in done.stdout
        assert fleet.api("GET", "summary")["online"] == 1
    finally:
        operate(fleet, "remove", 1)


def test_nothing_of_a_few_devices_stays_behind(fleet: Fleet) -> None:
    wait_until(fleet.template_is_ready, 90)
    done = fleet.run(
        "bin/bench", "cycle", "--count", "2", "--calm", "1", "--json", timeout_s=180
    )
    found = json.loads(done.stdout)
    assert found["values"]["looks"]["full_1"]["guests"] == 2
    assert found["values"]["looks"]["full_2"]["living_rows"] == 2
    assert [each for each in found["problems"] if "MiB" not in each] == [], done.stdout
