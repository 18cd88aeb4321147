from __future__ import annotations

from pathlib import Path

from devices.host import psi


def test_psi_takes_the_ten_second_averages(tmp_path: Path) -> None:
    folder = tmp_path / "proc/pressure"
    folder.mkdir(parents=True)
    line = "avg10={} avg60=9.00 avg300=9.00 total=1\n"
    for name, some, full in (("cpu", 1.5, 0.0), ("memory", 2.5, 0.5), ("io", 3.5, 1.25)):
        (folder / name).write_text("some " + line.format(some) + "full " + line.format(full))
    assert psi.read(tmp_path) == psi.PsiSample(1.5, 2.5, 0.5, 3.5, 1.25)


def test_what_the_kernel_does_not_have_is_none(tmp_path: Path) -> None:
    assert psi.read(tmp_path) is None
