from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from devices.host import memory
from devices.host.cpu import CoreSample
from devices.host.sample import HostSampler, summarise
from tests.host.test_memory import MEMINFO


def core_sample(total: float, running: int) -> CoreSample:
    return CoreSample(
        busy=b"\x00", online=2, total=total, user=total, system=0, iowait=0, steal=0,
        running=running,
    )  # fmt: skip


def test_a_sample_says_null_for_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/loadavg").write_text("0.5 0.4 0.3 1/99 7\n")
    (tmp_path / "proc/uptime").write_text("1369.71 2600.00\n")
    sample = HostSampler(tmp_path, clock=lambda: 12.5).sample([])
    said = json.loads(json.dumps(sample.to_json()))
    assert said["at"] == 12.5
    assert said["uptime_s"] == 1369.71
    assert said["memory"] == asdict(memory.parse(MEMINFO))
    assert said["load"] == {"one": 0.5, "five": 0.4, "fifteen": 0.3, "tasks": 99}
    assert [said[name] for name in ("cpu", "ksm", "zram", "psi")] == [None] * 4


def test_this_machine_can_be_sampled_and_said() -> None:
    said = json.loads(json.dumps(HostSampler().sample([core_sample(0.5, 1)]).to_json()))
    assert 0 < said["memory"]["available_bytes"] <= said["memory"]["total_bytes"]
    assert said["cpu"]["busy"] == 0.5


def test_a_second_is_the_mean_of_its_quarters() -> None:
    summary = summarise([core_sample(0.2, 1), core_sample(0.4, 4)])
    assert summary is not None
    assert summary.busy == pytest.approx(0.3)
    assert summary.run_queue == 2.5
    assert summary.online == 2
