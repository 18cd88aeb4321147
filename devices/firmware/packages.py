"""Debian packages of any architecture, fetched and verified by apt without touching the host."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.firmware import sources
from devices.firmware.errors import PackageUnavailable

DEBIAN_RELEASE = "bookworm"
DEBIAN_ARCHITECTURES = {"x64": "amd64", "arm64": "arm64"}
APT_TIMEOUT_S = 1200
_NAME = re.compile(r"^[a-z0-9][a-z0-9+.-]+$")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """A fetched package file; `sha256` is what it was when apt had checked its signature chain."""

    name: str
    version: str
    architecture: str
    filename: str
    sha256: str


def debian_architecture(architecture: str) -> str:
    """Debian's word for `x64` or `arm64`; raises `PackageUnavailable` for anything else."""
    try:
        return DEBIAN_ARCHITECTURES[architecture]
    except KeyError:
        raise PackageUnavailable(
            f"There are no packages for the architecture {architecture!r}: "
            f"use one of {', '.join(DEBIAN_ARCHITECTURES)}."
        ) from None


def host_architecture() -> str:
    """The architecture of this machine, `x64` or `arm64`."""
    machine = os.uname().machine
    known = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    if machine not in known:
        raise PackageUnavailable(
            f"This machine is a {machine}; firmware can be built on x86_64 and aarch64."
        )
    return known[machine]


class PackageCache:
    """Packages of one architecture in a folder; what is there already needs no network."""

    def __init__(self, folder: Path, *, architecture: str, progress: Progress) -> None:
        self.architecture = debian_architecture(architecture)
        self.folder = folder / "packages" / self.architecture
        self.progress = progress
        self._updated = False

    def fetch(self, names: Sequence[str]) -> dict[str, Package]:
        """Each named package, from the folder or else from the machine's Debian mirrors.

        When one is missing all of them are fetched again, so that they are of one point release.
        A name ending in `*` stands for the one real package that a meta-package depends on,
        `linux-image-*` of `linux-image-cloud-arm64` written `linux-image-cloud-arm64*`.
        Raises `PackageUnavailable`.
        """
        with self.locked():
            known = self._index()
            if all(name in known and self._is_whole(known[name]) for name in names):
                return {name: known[name] for name in names}
            self._update()
            fetched = {name: self._download(name) for name in names}
            self._write_index({**known, **fetched})
            return fetched

    def path(self, package: Package) -> Path:
        """Where the package's file is."""
        return self.folder / package.filename

    def unpack(self, package: Package, target: Path) -> None:
        """Lay the package's files out under `target`, after checking the file once more."""
        path = self.path(package)
        if sha256_of(path) != package.sha256:
            raise PackageUnavailable(
                f"{path} is damaged: delete it and build again, it will be fetched anew."
            )
        target.mkdir(parents=True, exist_ok=True)
        self._run(["dpkg-deb", "--extract", str(path), str(target)], what=f"unpack {path.name}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One build at a time does what must not be done twice at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _is_whole(self, package: Package) -> bool:
        path = self.path(package)
        return path.is_file() and sha256_of(path) == package.sha256

    def _index(self) -> dict[str, Package]:
        try:
            raw = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
            return {name: Package(**fields) for name, fields in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write_index(self, packages: dict[str, Package]) -> None:
        temporary = self.folder / "index.json.new"
        content = {name: asdict(package) for name, package in sorted(packages.items())}
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.folder / "index.json")

    def _update(self) -> None:
        if self._updated:
            return
        self.progress(f"reading the package lists of {self.architecture}")
        found = sources.of_this_machine(codename=DEBIAN_RELEASE)
        lists = "\n".join(source.line() for source in found)
        for name in ("state/lists/partial", "cache/archives/partial", "etc/parts"):
            (self.folder / "apt" / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "apt/etc/sources.list").write_text(lists + "\n", encoding="utf-8")
        (self.folder / "apt/etc/preferences").write_text(_preferences(), encoding="utf-8")
        (self.folder / "apt/state/status").write_text("", encoding="utf-8")
        # A mirror that fails does not matter while the others have what is needed.
        argv = ["apt-get", *self._options(), "update"]
        self._run(argv, what="read the package lists", check=False)
        self._updated = True

    def _download(self, name: str) -> Package:
        real = self._real_name(name.removesuffix("*")) if name.endswith("*") else name
        before = set(self.folder.glob("*.deb"))
        for stale in before:
            if stale.name.startswith(f"{real}_"):
                stale.unlink()
        self.progress(f"fetching {real} ({self.architecture})")
        self._run(
            ["apt-get", *self._options(), "--quiet", "download", real],
            what=f"fetch the package {real}",
        )
        found = sorted(self.folder.glob(f"{real}_*.deb"))
        if len(found) != 1:
            raise PackageUnavailable(f"apt fetched no file for {real} into {self.folder}.")
        path = found[0]
        shown = self._run(
            ["dpkg-deb", "--show", "--showformat=${Version} ${Architecture}", str(path)],
            what=f"read {path.name}",
        )
        version, architecture = shown.split()
        return Package(real, version, architecture, path.name, sha256_of(path))

    def _real_name(self, meta: str) -> str:
        text = self._run(["apt-cache", *self._options(), "depends", meta], what=f"look up {meta}")
        prefix = meta.split("-cloud", 1)[0] + "-"
        for line in text.splitlines():
            word, _, name = line.strip().partition(": ")
            if word == "Depends" and name.startswith(prefix) and _NAME.match(name):
                return name
        raise PackageUnavailable(f"{meta} names no package of its own in this Debian release.")

    def _options(self) -> list[str]:
        apt = self.folder / "apt"
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "APT::Get::List-Cleanup": "true",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
            "Dir::Cache": str(apt / "cache"),
            "Dir::Etc::sourcelist": str(apt / "etc/sources.list"),
            "Dir::Etc::sourceparts": str(apt / "etc/parts"),
            "Dir::Etc::preferences": str(apt / "etc/preferences"),
            "Dir::Etc::preferencesparts": str(apt / "etc/parts"),
            "Dir::State": str(apt / "state"),
            "Dir::State::status": str(apt / "state/status"),
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def _run(self, argv: list[str], *, what: str, check: bool = True) -> str:
        if shutil.which(argv[0]) is None:
            raise PackageUnavailable(f"Cannot {what}: {argv[0]} is missing; Debian has it.")
        try:
            done = subprocess.run(
                argv,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=APT_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PackageUnavailable(f"Could not {what} within {APT_TIMEOUT_S} s.") from None
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise PackageUnavailable(
                f"Could not {what}: {' '.join(said)} Check the network and /etc/apt/sources.list."
            )
        return done.stdout


def _preferences() -> str:
    pins = []
    for suite in sources.suites(DEBIAN_RELEASE):
        pins.append(f"Package: *\nPin: release o=Debian,n={suite}\nPin-Priority: 990\n")
    return "\n".join(pins)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    """Run a block under a file mode creation mask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
