"""What the scripts in bin answer before anything is installed, in a checkout of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# no package manager and no Python among them: nothing can be installed
PROGRAMS = ("bash", "sh", "cat", "chmod", "dirname", "readlink", "sed", "date", "env", "id", "sort",
            "tr", "sha256sum", "grep", "mkdir")  # fmt: skip
PYTHON = '#!/bin/sh\necho "python $*"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The scripts alone."""
    shutil.copytree(CHECKOUT / "bin", tmp_path / "bin")
    (tmp_path / "programs").mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found, name
        (tmp_path / "programs" / name).symlink_to(found)
    return tmp_path


@pytest.fixture
def python(checkout: Path) -> Path:
    """A virtual environment whose Python says what it was asked to run."""
    program = checkout / "var" / "venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(PYTHON)
    program.chmod(0o755)
    return program


def run(checkout: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=checkout,
        env={"PATH": str(checkout / "programs"), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("asked", ["-h", "--help"])
@pytest.mark.parametrize("name", ["up", "down"])
def test_help_needs_nothing_installed(checkout: Path, name: str, asked: str) -> None:
    done = run(checkout, f"bin/{name}", asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: bin/{name} [--")


@pytest.mark.parametrize(
    "words",
    [["up", "--detatch"], ["up", "8G"], ["up", "--zram", "8G", "16G"], ["up", "--detach", "--x"],
     ["down", "--keep"], ["down", "guests"], ["down", ""]],
)  # fmt: skip
def test_a_mistyped_option_begins_nothing(checkout: Path, words: list[str]) -> None:
    done = run(checkout, f"bin/{words[0]}", *words[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"bin/{words[0]} takes no '{words[-1]}'" in done.stderr
    assert f"usage: bin/{words[0]}" in done.stderr


def test_what_there_is_may_be_asked_for(checkout: Path, python: Path) -> None:
    said = run(checkout, "bin/down", "--keep-guests").stdout
    assert said == "python -m fleetdash.deploy.down --keep-guests\n"
    for words in (["--detach", "--zram"], ["--zram", "8G", "--detach"], ["--zram=50%"]):
        done = run(checkout, "bin/up", *words)
        # it went on to the packages
        assert (done.returncode, "not Debian" in done.stderr) == (1, True), words


def test_screens_are_made_with_the_checkouts_own_python(checkout: Path, tmp_path: Path) -> None:
    elsewhere = {"FLEETDASH_VAR": str(tmp_path / "elsewhere")}
    done = run(checkout, "bin/screens", "--url", "x", **elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert "run bin/test first" in done.stderr


def test_screens_need_what_tests_need(checkout: Path, python: Path) -> None:
    assert "run bin/test first" in run(checkout, "bin/screens").stderr
    (python.parents[1] / ".has-requirements-dev.txt").touch()
    said = run(checkout, "bin/screens", "--url", "x").stdout
    assert said == f"python {checkout}/tests/browser/screens.py --url x\n"


@pytest.fixture
def running(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a fleet that was started from the checkout."""
    environment = {
        "FLEETDASH_CHECKOUT": str(checkout),
        "FLEETDASH_REAL_VAR": str(checkout / "var"),
    }
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment) as process:
        yield process
        process.kill()


def need_venv(checkout: Path, *files: str) -> subprocess.CompletedProcess[str]:
    for name in ("requirements.txt", "requirements-dev.txt"):
        (checkout / name).touch()
    return run(checkout, "bash", "-c", f". bin/bootstrap; need_venv {' '.join(files)}; echo ok")


def test_packages_are_not_replaced_under_what_runs(
    checkout: Path, python: Path, running: subprocess.Popen[bytes]
) -> None:
    done = need_venv(checkout, "requirements.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"what runs in {checkout}/var " in done.stderr
    assert "bin/down --keep-guests && bin/up --detach" in done.stderr
    running.kill()
    running.wait()
    done = need_venv(checkout, "requirements.txt")
    assert (done.returncode, "pip install" in done.stdout) == (0, True), done.stderr


def test_what_tests_need_is_added_while_a_fleet_runs(
    checkout: Path, python: Path, running: subprocess.Popen[bytes]
) -> None:
    (checkout / "requirements.txt").touch()
    has = run(checkout, "sha256sum", "/dev/null").stdout.replace("/dev/null", "-")
    (python.parents[1] / ".has-requirements.txt").write_text(has)
    done = need_venv(checkout, "requirements.txt", "requirements-dev.txt")
    assert (done.returncode, "pip install" in done.stdout) == (0, True), done.stderr


@pytest.mark.usefixtures("running")
def test_an_environment_that_was_lost_is_made_anew_whatever_runs(checkout: Path) -> None:
    (checkout / "var").mkdir()
    (checkout / "var" / "venv").touch()
    done = need_venv(checkout, "requirements.txt")
    assert "the virtual environment could not be made" in done.stderr
