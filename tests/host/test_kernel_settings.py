from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devices.host import kernel_settings
from devices.host.errors import CannotSet
from devices.host.kernel_settings import hold, release

NAME = "vm/swappiness"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine whose swappiness is 60."""
    for name, text in {"vm/swappiness": "60\n", "kernel/random/boot_id": "one\n"}.items():
        file = tmp_path / "proc/sys" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def value(root: Path) -> str | None:
    return kernel_settings.read(NAME, root)


def test_what_was_there_before_the_first_wish_comes_back_after_the_last(root: Path) -> None:
    hold(NAME, "80", "a", root)
    hold(NAME, "90", "a", root)
    assert value(root) == "90"
    hold(NAME, "100", "b", root)
    assert value(root) == "100"
    assert release("b", root) == [NAME]
    assert value(root) == "90"
    assert release("a", root) == [NAME]
    assert value(root) == "60"
    assert (release("a", root), kernel_settings.held(NAME, root)) == ([], None)


def test_whoever_lets_go_beneath_another_changes_nothing(root: Path) -> None:
    hold(NAME, "80", "a", root)
    hold(NAME, "100", "b", root)
    release("a", root)
    assert value(root) == "100"
    release("b", root)
    assert value(root) == "60"


def test_a_default_lies_beneath_what_a_person_set(root: Path) -> None:
    hold(NAME, "10", "person", root)
    hold(NAME, "100", "swap", root, beneath=True)
    assert value(root) == "10"
    release("person", root)
    assert value(root) == "100"
    release("swap", root)
    assert value(root) == "60"


def test_it_comes_back_after_whoever_set_it_was_killed(root: Path) -> None:
    program = (
        "import os, pathlib, sys; from devices.host import kernel_settings\n"
        "kernel_settings.hold('vm/swappiness', '80', 'a', pathlib.Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, root], check=False)
    assert value(root) == "80"
    release("a", root)
    assert value(root) == "60"


def test_what_somebody_else_set_since_is_left(root: Path) -> None:
    hold(NAME, "80", "a", root)
    (root / "proc/sys" / NAME).write_text("30\n")
    assert release("a", root) == [NAME]
    assert value(root) == "30"
    assert kernel_settings.held(NAME, root) is None


def test_a_record_of_another_boot_says_nothing_of_this_one(root: Path) -> None:
    hold(NAME, "80", "a", root)
    (root / "proc/sys/kernel/random/boot_id").write_text("two\n")
    assert release("a", root) == []
    assert value(root) == "80"


def test_a_setting_the_kernel_lacks_is_said(root: Path) -> None:
    assert "has no" in kernel_settings.why_not("vm/nothing", root)
    with pytest.raises(CannotSet, match="vm/nothing"):
        hold("vm/nothing", "1", "a", root)


@pytest.mark.skipif(
    os.geteuid() != 0 or bool(kernel_settings.why_not(NAME)), reason="needs root"
)
def test_a_value_the_real_kernel_refuses_leaves_no_trace() -> None:
    before, held = kernel_settings.read(NAME), kernel_settings.held(NAME)
    try:
        with pytest.raises(CannotSet, match="does not take '100000'"):
            hold(NAME, "100000", "tests", Path("/"))
        assert (kernel_settings.read(NAME), kernel_settings.held(NAME)) == (before, held)
    finally:
        release("tests")
