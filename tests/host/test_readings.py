from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from devices.host import ksm, load, memory, psi, zram
from devices.host.cpu import CoreSample
from devices.host.sample import HostSampler, summarise

MEMINFO = """\
MemTotal:       24684092 kB
MemFree:        24432444 kB
MemAvailable:   24379832 kB
HugePages_Total:       0
SwapTotal:       1048576 kB
SwapFree:         524288 kB
"""
KSM = {
    "run": "1\n",
    "pages_shared": "10\n",
    "pages_sharing": "1000\n",
    "pages_unshared": "77\n",
    "full_scans": "5\n",
    "pages_to_scan": "100\n",
    "sleep_millisecs": "20\n",
    "general_profit": "-81920\n",
}


def core_sample(total: float, running: int) -> CoreSample:
    return CoreSample(
        busy=b"\x00", online=2, total=total, user=total, system=0, iowait=0, steal=0,
        running=running,
    )  # fmt: skip


def test_memory_is_in_bytes() -> None:
    sample = memory.parse(MEMINFO)
    assert sample.total_bytes == 24684092 * 1024
    assert sample.available_bytes == 24379832 * 1024
    assert sample.swap_total_bytes == 1 << 30
    assert sample.swap_free_bytes == 1 << 29


def test_memory_of_this_machine_agrees_with_psutil() -> None:
    assert memory.read().total_bytes == psutil.virtual_memory().total


def test_load() -> None:
    assert load.parse("190.52 93.10 0.05 3/4183 30077\n") == load.LoadSample(
        190.52, 93.1, 0.05, 4183
    )


def test_ksm_profit_keeps_its_sign() -> None:
    sample = ksm.parse(KSM, page_bytes=4096)
    assert sample.general_profit_bytes == -81920
    assert sample.saved_bytes == 1000 * 4096
    assert (sample.run, sample.pages_shared, sample.pages_sharing) == (1, 10, 1000)
    assert (sample.pages_unshared, sample.full_scans) == (77, 5)


def test_ksm_counts_zero_pages_as_saved() -> None:
    assert ksm.parse({**KSM, "ksm_zero_pages": "24"}, page_bytes=4096).saved_bytes == 1024 * 4096


def test_ksm_of_an_older_kernel_has_no_profit(tmp_path: Path) -> None:
    folder = tmp_path / "sys/kernel/mm/ksm"
    folder.mkdir(parents=True)
    for name, text in KSM.items():
        if name != "general_profit":
            (folder / name).write_text(text)
    sample = ksm.read(tmp_path)
    assert sample is not None
    assert sample.general_profit_bytes is None


def test_zram_names_the_algorithm_in_use_and_its_ratio() -> None:
    sample = zram.parse("zram1", "1073741824\n", "4000 1000 1500 0 1500 0 0 0 0\n", "lzo [lz4]\n")
    assert sample == zram.ZramSample("zram1", "lz4", 1 << 30, 4000, 1000, 1500, 4.0)


def test_an_empty_zram_has_no_ratio() -> None:
    assert zram.parse("zram0", "0", "0 0 0 0 0 0 0 0 0", "[lzo-rle] lz4").ratio is None


def test_psi_takes_the_ten_second_averages(tmp_path: Path) -> None:
    folder = tmp_path / "proc/pressure"
    folder.mkdir(parents=True)
    line = "avg10={} avg60=9.00 avg300=9.00 total=1\n"
    for name, some, full in (("cpu", 1.5, 0.0), ("memory", 2.5, 0.5), ("io", 3.5, 1.25)):
        (folder / name).write_text("some " + line.format(some) + "full " + line.format(full))
    assert psi.read(tmp_path) == psi.PsiSample(1.5, 2.5, 0.5, 3.5, 1.25)


@pytest.mark.parametrize("read", [ksm.read, zram.read, psi.read])
def test_what_the_kernel_does_not_have_is_none(read: object, tmp_path: Path) -> None:
    assert callable(read)
    assert read(tmp_path) is None


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
