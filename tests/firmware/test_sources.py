from __future__ import annotations

from pathlib import Path

from devices.firmware import sources

ONE_LINE = """
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/a.gpg] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/security bookworm-security main # trailing
deb-src http://mirror.example/debian bookworm main
deb [signed-by=/keys/docker.gpg] https://docker.example/debian bookworm stable
deb cdrom:[Debian]/ bookworm main
deb http://other.example/debian trixie main
"""
DEB822 = """
# A comment
Types: deb deb-src
URIs: http://one.example/debian http://two.example/debian
Suites: bookworm bookworm-updates
Components: main
Architectures: amd64
Signed-By: /keys/debian.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://inline.example/debian
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def lines(folder: Path) -> list[str]:
    found = sources.of_this_machine(codename="bookworm", etc=folder)
    return [source.line() for source in found]


def test_one_line_sources_lose_their_architecture(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    assert lines(tmp_path) == [
        "deb [signed-by=/keys/a.gpg] http://mirror.example/debian bookworm main",
        "deb http://mirror.example/security bookworm-security main",
    ]


def test_deb822_sources(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    assert lines(tmp_path) == [
        "deb [signed-by=/keys/debian.gpg] http://one.example/debian bookworm main",
        "deb [signed-by=/keys/debian.gpg] http://one.example/debian bookworm-updates main",
        "deb [signed-by=/keys/debian.gpg] http://two.example/debian bookworm main",
        "deb [signed-by=/keys/debian.gpg] http://two.example/debian bookworm-updates main",
        "deb http://inline.example/debian bookworm-security main",
    ]


def test_without_debian_sources_debians_own_mirrors_are_used(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb https://docker.example/debian bookworm stable\n")
    assert [line.split()[-2] for line in lines(tmp_path)] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    assert all("debian-archive-keyring" in line for line in lines(tmp_path))


def test_the_same_mirror_twice_is_used_once(tmp_path: Path) -> None:
    entry = "deb http://mirror.example/debian bookworm main\n"
    (tmp_path / "sources.list").write_text(entry + entry.replace("debian ", "debian/ "))
    assert lines(tmp_path) == ["deb http://mirror.example/debian bookworm main"]
