"""Makes a held, paused qemu into a server that forks itself (fork_server.py, zygote.py)."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from devices.qemu import fork_server
from devices.qemu.fork_server import Files, ThreadState
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_memory import PR_SET_MEMORY_MERGE
from devices.qemu.ptrace import HeldProcess, TracingFailed
from devices.qemu.spec import GuestSpec

STILL_DEADLINE_S = 5.0

_SYS_MMAP, _SYS_MADVISE, _SYS_DUP, _SYS_DUP2, _SYS_PRCTL = 9, 28, 32, 33, 157
_PROT_READ, _PROT_WRITE, _PROT_EXEC = 1, 2, 4
_MAP_PRIVATE_ANONYMOUS = 0x22
_MADV_DOFORK, _MADV_MERGEABLE = 11, 12
_PR_SET_DUMPABLE = 4
_PAGE_BYTES = 4096
_ARGUMENTS_FIELD = 47  # of /proc/PID/stat: where the command line begins
_NAME_FIELD_END = b")"
_EVENT = re.compile(r"eventfd-count:\s*([0-9a-f]+)")
_SIGNALS = re.compile(r"sigmask:\s*([0-9a-f]+)")


def wait_until_still(pid: int) -> None:
    """Until every thread of a paused qemu waits in the kernel; raises TracingFailed."""
    until = time.monotonic() + STILL_DEADLINE_S
    while not all(_waits(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > until:
            raise TracingFailed(f"Process {pid} did not come to rest.")
        time.sleep(0.01)


def change_identity(pid: int, old: bytes, new: bytes) -> None:
    """Let a paused guest be somebody else; raises TracingFailed when it is not who was said."""
    with _memory(pid) as memory:
        os.pwrite(memory, new, _find_in_heap(pid, memory, old))


def install(
    held: HeldProcess,
    folder: GuestFolder,
    spec: GuestSpec,
    control_fd: int,
    identity: bytes,
    serial: str,
) -> None:
    """Let the first thread serve from now on; the others stay as they are.

    `identity` and `serial` are the present ones, in whose place a child's will be. Raises
    TracingFailed when the process holds something that a child could not be given, and OSError.
    """
    # its user's other processes must not read or write what all its children will be
    held.call(_SYS_PRCTL, _PR_SET_DUMPABLE, 0)
    _fork_all_memory(held)
    files = _files(held, folder, spec, control_fd)
    threads = [
        ThreadState(
            held.registers(thread),
            held.extended_state(thread),
            held.blocked_signals(thread),
            held.id_address(thread),
        )
        for thread in held.threads
    ]
    with _memory(held.pid) as memory:
        identity_at = _find_in_heap(held.pid, memory, identity)
    serial_at = _find_on_command_line(held.pid, serial)

    def laid_out(base: int) -> bytes:
        return fork_server.data(base, threads, files, identity_at=identity_at, serial_at=serial_at)

    data_at = _map(held, len(laid_out(0)), _PROT_READ | _PROT_WRITE)
    code_at = _map(held, len(fork_server.CODE), _PROT_READ | _PROT_EXEC)
    held.write(data_at, laid_out(data_at))
    held.write(code_at, fork_server.CODE)
    registers = held.registers(held.pid)
    registers.rip, registers.orig_rax = code_at, 2**64 - 1
    registers.r14, registers.r15 = files.first_free, data_at
    held.set_registers(held.pid, registers)
    held.go_on(held.pid)


def _waits(task: Path) -> bool:
    try:
        return task.joinpath("stat").read_bytes().rpartition(b")")[2].split()[0] == b"S"
    except FileNotFoundError:
        return True  # a thread that has ended


def _fork_all_memory(held: HeldProcess) -> None:
    """qemu keeps the guest's memory from children (MADV_DONTFORK); here it is what they are for.

    What they share by birth is not offered to be merged: each would have the kernel keep a record
    of every page, for next to nothing (docs/measurements.md). The guest's own memory is, for it
    grows when a device reboots.
    """
    with contextlib.suppress(OSError):  # a kernel that cannot merge whole processes
        held.call(_SYS_PRCTL, PR_SET_MEMORY_MERGE, 0)
    mapping: list[str] = []
    for line in Path(f"/proc/{held.pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            mapping = words
        elif words[0] == "VmFlags:" and "dc" in words:
            start, end = (int(word, 16) for word in mapping[0].split("-"))
            held.call(_SYS_MADVISE, start, end - start, _MADV_DOFORK)
            if mapping[-1] == "(deleted)" or mapping[-1].startswith("/memfd:"):
                with contextlib.suppress(OSError):
                    held.call(_SYS_MADVISE, start, end - start, _MADV_MERGEABLE)


def _files(held: HeldProcess, folder: GuestFolder, spec: GuestSpec, control_fd: int) -> Files:
    """What is open, each in the way a child is given its own; the control socket goes on top."""
    own = {_inode(folder.overlay): "overlay", _inode(folder.log): "log"}
    replaced: dict[str, list[int]] = {"overlay": [], "log": []}
    events: list[tuple[int, int]] = []
    signals: list[tuple[int, int]] = []
    present = _descriptors(held.pid)
    for descriptor, target in present.items():
        about = Path(f"/proc/{held.pid}/fdinfo/{descriptor}").read_text()
        kind = own.get(_inode(Path(f"/proc/{held.pid}/fd/{descriptor}")))
        if kind is not None:
            replaced[kind].append(descriptor)
        elif descriptor in (spec.qmp_fd, spec.console_fd, control_fd):
            continue
        elif counted := _EVENT.search(about):
            events.append((descriptor, int(counted[1], 16)))
        elif mask := _SIGNALS.search(about):
            signals.append((descriptor, int(mask[1], 16)))
        elif target.startswith(("socket:", "anon_inode:", "pipe:")):
            raise TracingFailed(f"Process {held.pid} has {target} open, which cannot be forked.")
    first_free = max(present) + 1
    # from here on a new descriptor has the next higher number
    for missing in sorted(set(range(first_free)) - set(present)):
        if held.call(_SYS_DUP, 0) != missing:
            raise TracingFailed(f"Process {held.pid} opens files while it is held.")
    held.call(_SYS_DUP2, control_fd, first_free)
    held.call(_SYS_DUP2, 0, control_fd)
    return Files(
        spec.qmp_fd, spec.console_fd, replaced["overlay"], replaced["log"], events, signals,
        first_free,
    )  # fmt: skip


def _descriptors(pid: int) -> dict[int, str]:
    folder = Path(f"/proc/{pid}/fd")
    return {int(each.name): os.readlink(each) for each in sorted(folder.iterdir())}


def _inode(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


def _map(held: HeldProcess, size: int, protection: int) -> int:
    size += -size % _PAGE_BYTES
    return held.call(_SYS_MMAP, 0, size, protection, _MAP_PRIVATE_ANONYMOUS, -1, 0)


@contextlib.contextmanager
def _memory(pid: int) -> Iterator[int]:
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _find_in_heap(pid: int, memory: int, content: bytes) -> int:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            heap = os.pread(memory, end - start, start)
            if heap.count(content) != 1:
                break
            return start + heap.index(content)
    raise TracingFailed(f"Process {pid} does not have its guest's identity where it should be.")


def _find_on_command_line(pid: int, serial: str) -> int:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    first = int(stat[stat.rindex(_NAME_FIELD_END) + 2 :].split()[_ARGUMENTS_FIELD - 2])
    words = Path(f"/proc/{pid}/cmdline").read_bytes()
    if words.count(serial.encode()) != 1:
        raise TracingFailed(f"Process {pid} does not name its guest on its command line.")
    return first + words.index(serial.encode())
