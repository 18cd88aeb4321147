"""Assembling what runs in a device: its initramfs and its root file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from devices.firmware import (
    arm64_assembler,
    cpio,
    kernel_modules,
    kernel_objects,
    static_program,
    x64_program,
)
from devices.firmware.board import ARM64, Board
from devices.firmware.errors import BuildFailed
from devices.firmware.toolchain import Toolchain

GUEST = Path(__file__).resolve().parents[2] / "guest"
ERLANG_HOME = "/usr/lib/erlang"
AGENT = "fleetdash_agent"
ERLANG_APPLICATIONS = ("kernel", "stdlib", "crypto")
ERTS_PROGRAMS = ("beam.smp", "erl_child_setup")
LIBRARIES = (
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libz.so.1",
    "libtinfo.so.6",
    "libcrypto.so.3",
)
SQUASHFS_OPTIONS = (
    "-all-root",
    "-noappend",
    "-no-progress",
    "-no-xattrs",
    "-no-exports",
    "-processors",
    "1",
)


def words(name: str, board: Board) -> list[str]:
    """The words of a list in `guest/` that are for this board, comments left out."""
    text = (GUEST / name).read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        *said, last = line.split("#", 1)[0].split() or [""]
        if not last.startswith("@"):
            said.append(last)
        elif last != f"@{board.architecture}":
            continue
        found += [word for word in said if word]
    return found


def kernel_arguments(board: Board) -> str:
    """What the kernel is told, beside the slot."""
    return " ".join(words("kernel-args.txt", board))


def find_kernel(unpacked: Path) -> Path:
    """The one kernel of the unpacked packages."""
    found = sorted((unpacked / "boot").glob("vmlinuz-*"))
    if len(found) != 1:
        raise BuildFailed(f"Expected one kernel in {unpacked / 'boot'}, found {len(found)}.")
    return found[0]


def module_files(unpacked: Path, wanted: Sequence[str]) -> list[tuple[str, bytes]]:
    """Kernel modules and what they need, in the order to load them."""
    paths = {
        kernel_modules.canonical(path.stem): path
        for path in sorted((unpacked / "lib/modules").rglob("*.ko"))
    }

    def read(name: str) -> bytes:
        if name not in paths:
            raise BuildFailed(f"The kernel package has no module {name}.")
        return paths[name].read_bytes()

    return [(name, read(name)) for name in kernel_modules.load_order(wanted, read)]


def initramfs(unpacked: Path, board: Board) -> bytes:
    """BusyBox, the modules the root file system needs, and `guest/initramfs/init`."""
    modules = [
        (name, _quiet(content) if name == "virtio_net" else content)
        for name, content in module_files(unpacked, words("modules.txt", board))
    ]
    order = "".join(f"{name}\n" for name, _ in modules)
    entries = [
        *(cpio.directory(name) for name in ("bin", "dev", "modules", "proc", "root")),
        cpio.character_device("dev/console", 5, 1),
        cpio.character_device("dev/null", 1, 3),
        cpio.file("bin/busybox", (unpacked / "bin/busybox").read_bytes(), executable=True),
        *(
            cpio.symlink(f"bin/{name}", "busybox")
            for name in ("insmod", "mount", "sh", "switch_root")
        ),
        cpio.file("init", (GUEST / "initramfs/init").read_bytes(), executable=True),
        cpio.file("modules/order", order.encode()),
        *(cpio.file(f"modules/{name}.ko", content) for name, content in modules),
    ]
    return cpio.encode(entries)


def _quiet(network_driver: bytes) -> bytes:
    """The driver without what is called when a packet could not be sent for 5 s.

    As long as there is such a function, the kernel wakes every 5 s to see whether it must be
    called; there is no setting against it.
    """
    return kernel_objects.without_pointer(network_driver, "virtnet_netdev", "virtnet_tx_timeout")


def lay_out_root(
    root: Path, unpacked: Path, *, board: Board, tools: Toolchain, firmware: str
) -> None:
    """Fill a folder with the root file system; `firmware` is what it says of itself."""
    for name in ("bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    _copy(unpacked / "bin/busybox", root / "bin/busybox", mode=0o755)
    for applet in words("applets.txt", board):
        (root / "bin" / applet).symlink_to("busybox")
    for source in sorted((GUEST / "rootfs").rglob("*")):
        if source.is_file():
            target = root / source.relative_to(GUEST / "rootfs")
            _copy(source, target, mode=0o755 if os.access(source, os.X_OK) else 0o644)
    syscalls = root / "sbin/syscalls"
    syscalls.write_bytes(system_calls(board))
    syscalls.chmod(0o755)
    (root / "etc/fleetdash-firmware").write_text(firmware, encoding="utf-8")
    _copy_libraries(root, unpacked, board)
    _copy_erlang(root, unpacked)
    _build_agent(root, tools, board)


def pack_root(root: Path, image: Path, *, tools: Toolchain, compression: Sequence[str]) -> None:
    """The folder as a squashfs that is the same for the same folder."""
    for path in sorted(root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    root.chmod(0o755)
    tools.mksquashfs(root, image, [*SQUASHFS_OPTIONS, *compression])


def system_calls(board: Board) -> bytes:
    """The program that makes system calls for the agent."""
    if board is ARM64:
        source = (GUEST / "syscalls/arm64.s").read_text(encoding="utf-8")
        code = arm64_assembler.assembled(source)
    else:
        code = x64_program.CODE
    return static_program.wrap(code, machine=board.elf_machine)


def _copy_libraries(root: Path, unpacked: Path, board: Board) -> None:
    if board.dynamic_linker_folder != "lib":
        (root / board.dynamic_linker_folder).symlink_to("lib")
    for name in (*LIBRARIES, board.dynamic_linker):
        for folder in ("lib", "usr/lib"):
            found = unpacked / folder / board.library_folder / name
            if found.exists():
                _copy(found.resolve(), root / "lib" / name, mode=0o755)
                break
        else:
            raise BuildFailed(f"The packages have no library {name}.")


def _copy_erlang(root: Path, unpacked: Path) -> None:
    source = unpacked / ERLANG_HOME.lstrip("/")
    home = root / ERLANG_HOME.lstrip("/")
    erts = next(iter(sorted(source.glob("erts-*"))))
    for program in ERTS_PROGRAMS:
        _copy(erts / "bin" / program, home / "bin" / program, mode=0o755)
    for application in ERLANG_APPLICATIONS:
        found = sorted((source / "lib").glob(f"{application}-*"))
        if not found:
            raise BuildFailed(f"The Erlang packages have no application {application}.")
        target = home / "lib" / found[0].name
        for path in sorted(found[0].glob("ebin/*")):
            if path.suffix in {".app", ".beam"}:
                _copy(path, target / "ebin" / path.name, mode=0o644)
        for path in sorted(found[0].glob("priv/lib/crypto*.so")):
            _copy(path, target / "priv/lib" / path.name, mode=0o755)


def _build_agent(root: Path, tools: Toolchain, board: Board) -> None:
    home = root / ERLANG_HOME.lstrip("/")
    agent = GUEST / "agent"
    ebin = home / "lib" / AGENT / "ebin"
    sources = sorted((agent / "src").glob("*.erl"))
    tools.compile_erlang(sources, ebin, f"-D{board.architecture.upper()}")
    _copy(agent / "src" / f"{AGENT}.app.src", ebin / f"{AGENT}.app", mode=0o644)
    build = root.parent / "build-beams"
    tools.compile_erlang(sorted((agent / "build").glob("*.erl")), build)
    tools.erlang(
        ["-pa", str(build), "-run", "fleetdash_build", "main", str(home), ERLANG_HOME]
        + ["-run", "init", "stop"],
        what="make the boot script",
        cwd=root.parent,
    )


def _copy(source: Path, target: Path, *, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)
