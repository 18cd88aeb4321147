"""The tools a build runs, taken from Debian packages of this machine's architecture.

They are unpacked into the cache and run from there: nothing is installed on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from devices.firmware.errors import BuildFailed
from devices.firmware.packages import PackageCache, Progress, host_architecture

TOOL_PACKAGES = (
    "squashfs-tools",
    "liblzo2-2",
    "erlang-base",
    "erlang-crypto",
    "erlang-dev",
    "erlang-eunit",
)
TOOL_TIMEOUT_S = 600


class Toolchain:
    """mksquashfs and Erlang in a folder."""

    def __init__(self, root: Path, *, key: str) -> None:
        self.root = root
        self.key = key

    @classmethod
    def prepare(cls, *, cache: Path, progress: Progress) -> Toolchain:
        """Fetch and unpack the tools, unless they are there."""
        packages = PackageCache(cache, architecture=host_architecture(), progress=progress)
        fetched = packages.fetch(TOOL_PACKAGES)
        key = " ".join(f"{package.name}={package.version}" for package in fetched.values())
        root = cache / "tools" / host_architecture()
        marker = root / "versions"
        # firmware of two architectures may be built at once, with the same tools
        with packages.locked():
            if not (marker.is_file() and marker.read_text(encoding="utf-8") == key):
                progress("unpacking the build's tools")
                shutil.rmtree(root, ignore_errors=True)
                for package in fetched.values():
                    packages.unpack(package, root)
                marker.write_text(key, encoding="utf-8")
        return cls(root, key=key)

    def mksquashfs(self, folder: Path, image: Path, options: Sequence[str]) -> None:
        """Pack a folder into a squashfs image."""
        image.unlink(missing_ok=True)
        tool = self.root / "usr/bin/mksquashfs"
        self._run([str(tool), str(folder), str(image), *options], what="pack the root file system")

    def erlang(self, arguments: Sequence[str], *, what: str, cwd: Path) -> str:
        """Run the Erlang virtual machine; gives what it printed."""
        argv = [str(self._erts() / "bin/erlexec"), "-noshell", "-noinput", *arguments]
        return self._run(argv, what=what, cwd=cwd)

    def compile_erlang(self, sources: Sequence[Path], output: Path, *flags: str) -> None:
        """Compile Erlang modules, warnings being errors, the same bytes for the same sources."""
        output.mkdir(parents=True, exist_ok=True)
        tool = str(self._erts() / "bin/erlc")
        options = ["-Werror", "+deterministic", *flags, "-o", str(output)]
        argv = [tool, *options, *(source.name for source in sources)]
        for folder in {source.parent for source in sources}:
            self._run(argv, what="compile the agent", cwd=folder)

    def _erts(self) -> Path:
        found = sorted((self.root / "usr/lib/erlang").glob("erts-*"))
        if not found:
            raise BuildFailed(
                f"There is no Erlang in {self.root}: delete the folder and build again."
            )
        return found[-1]

    def _environment(self) -> Mapping[str, str]:
        erlang = self.root / "usr/lib/erlang"
        triplet = {"x64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[host_architecture()]
        libraries = [self.root / "usr/lib" / triplet, self.root / "lib" / triplet]
        binaries = self._erts() / "bin"
        return {
            "HOME": str(self.root),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{binaries}:{erlang / 'bin'}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries),
            "ROOTDIR": str(erlang),
            "BINDIR": str(binaries),
            "EMU": "beam",
            "PROGNAME": "erl",
            # erlc splits it at spaces; it is found in PATH
            "ERLC_EMULATOR": "erlexec",
            "SOURCE_DATE_EPOCH": "0",
        }

    def _run(self, argv: list[str], *, what: str, cwd: Path | None = None) -> str:
        try:
            done = subprocess.run(
                argv,
                cwd=cwd,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TOOL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildFailed(f"Could not {what}: {error}.") from error
        if done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
            raise BuildFailed(f"Could not {what} ({Path(argv[0]).name} failed):\n{said}")
        return done.stdout
