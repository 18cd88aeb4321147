from __future__ import annotations

import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DPKG_QUERY = """#!/bin/sh
printf 'ii  curl\\nrc  qemu-system-arm\\n'
exit 1
"""


def need_packages(tmp_path: Path, listed: str) -> subprocess.CompletedProcess[str]:
    """Run need_packages as a user without root or sudo, on a machine that has only curl."""
    (tmp_path / "packages").write_text(listed)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("dpkg-query", DPKG_QUERY), ("id", "#!/bin/sh\necho 1000\n")):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    for name in ("bash", "sed", "sort", "tr", "dirname", "cat", "date", "sh"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True)
        (commands / name).symlink_to(found.stdout.strip())
    return subprocess.run(
        [
            "bash",
            "-c",
            f'. "{CHECKOUT}/bin/bootstrap"; need_packages "{tmp_path}/packages"; echo ok',
        ],
        env={"PATH": str(commands)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_root_the_one_line_to_run_is_printed(tmp_path: Path) -> None:
    done = need_packages(
        tmp_path, "# what it needs\ncurl\nqemu-system-arm  # guests\nredis-server\n"
    )
    assert done.returncode == 1
    lines = [line.strip() for line in done.stderr.splitlines() if "apt-get" in line]
    assert lines == [
        "apt-get update && apt-get install -y --no-install-recommends qemu-system-arm redis-server"
    ]
    assert "ok" not in done.stdout


def test_nothing_is_said_when_nothing_is_missing(tmp_path: Path) -> None:
    done = need_packages(tmp_path, "curl\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_what_is_installed_can_be_read_by_others_whatever_the_callers_umask() -> None:
    done = subprocess.run(
        ["bash", "-c", f'umask 077; . "{CHECKOUT}/bin/bootstrap"; umask'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "0022"
