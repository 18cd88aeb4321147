from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devices.host import ksm, ksm_control, ksmd
from devices.host.errors import CannotMerge

BEFORE = {
    "run": "1\n", "advisor_mode": "none [scan-time]\n", "sleep_millisecs": "200\n",
    "pages_to_scan": "777\n",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine whose kernel merges as its operator wants."""
    folder = tmp_path / "sys/kernel/mm/ksm"
    folder.mkdir(parents=True)
    for name, text in BEFORE.items():
        (folder / name).write_text(text)
    boot = tmp_path / "proc/sys/kernel/random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text("one\n")
    return tmp_path


def setting(root: Path, name: str) -> str:
    return (root / "sys/kernel/mm/ksm" / name).read_text().strip()


def test_what_was_set_before_comes_back_when_it_is_released(root: Path) -> None:
    control = ksm_control.take(root)
    assert control is not None
    assert (setting(root, "run"), setting(root, "advisor_mode")) == ("0", "none")
    control.merge(0.5, 100_000)
    assert (setting(root, "run"), setting(root, "pages_to_scan")) == ("1", "2000")
    control.rest()
    assert setting(root, "run") == "0"
    control.release()
    assert ksm_control.restore(root).done
    found = [setting(root, name) for name in BEFORE]
    assert found == ["1", "scan-time", "200", "777"]
    assert not ksm_control.restore(root).done, "once is enough"


def test_one_that_was_killed_leaves_what_was_before_it_to_the_next(root: Path) -> None:
    """The lock ends with the process, and what it had set is not taken for the operator's."""
    program = (
        "import os, pathlib, sys; from devices.host import ksm_control\n"
        "ksm_control.take(pathlib.Path(sys.argv[1])).merge(0.9, 1e5); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, root], check=False)
    assert setting(root, "run") == "1"
    next_one = ksm_control.take(root)
    assert next_one is not None
    next_one.release()
    assert ksm_control.restore(root).done
    assert setting(root, "pages_to_scan") == "777"


def test_only_one_holds_it_and_nobody_takes_it_from_him(root: Path) -> None:
    control = ksm_control.take(root)
    assert control is not None
    control.merge(0.5, 100_000)
    assert ksm_control.take(root) is None
    assert not ksm_control.restore(root).done
    assert setting(root, "run") == "1"
    control.release()


def test_a_record_of_another_boot_is_not_put_back(root: Path) -> None:
    control = ksm_control.take(root)
    assert control is not None
    control.release()
    (root / "proc/sys/kernel/random/boot_id").write_text("two\n")
    assert not ksm_control.restore(root).done
    assert setting(root, "run") == "0"


def test_a_kernel_that_cannot_merge_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotMerge, match="This kernel cannot merge"):
        ksm_control.take(tmp_path)
    assert not ksm_control.restore(tmp_path).done


@pytest.mark.skipif(os.geteuid() != 0 or ksm.read() is None, reason="needs root and KSM")
def test_the_real_kernel_takes_a_pace_and_gets_its_own_back() -> None:
    names = ("run", "advisor_mode", "sleep_millisecs", "pages_to_scan")
    before = [setting(Path("/"), name) for name in names]
    control = ksm_control.take()
    if control is None:
        pytest.skip("a fleet on this machine holds it")
    pid = ksmd.find()  # none where the kernel's threads are in another namespace
    try:
        control.merge(0.5, 100_000)
        sample = ksm.read()
        assert sample is not None
        assert (sample.run, sample.pages_to_scan, sample.sleep_ms) == (1, 2000, 20)
        assert pid is None or ksmd.cpu_s(pid) >= 0
    finally:
        control.release()
        restored = ksm_control.restore()
    assert restored.done, restored.problem
    assert [setting(Path("/"), name) for name in names] == before
