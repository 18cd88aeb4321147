"""Holding another process's threads still, and having them make system calls (ptrace(2)).

For x86-64 Linux. What is here belongs to the thread that began it: the kernel takes requests from
no other, and lets go of everything when that thread ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from devices.qemu.errors import QemuError

_GETREGS, _SETREGS, _SINGLESTEP, _CONT = 12, 13, 9, 7
_GETREGSET = 0x4204
_SEIZE, _INTERRUPT, _GETSIGMASK = 0x4206, 0x4207, 0x420A
_NT_X86_XSTATE = 0x202
_OPTION_EXIT_KILL = 1 << 20
_OPTION_SUSPEND_SECCOMP = 1 << 21
_WALL = 0x40000000
_LARGEST_XSTATE_BYTES = 16384
_PR_GET_TID_ADDRESS = 40
_SYS_PRCTL = 157
_SYSCALL = b"\x0f\x05"
_RED_ZONE_BYTES = 4096
_NO_CALL = 2**64 - 1

_REGISTERS = [
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx",
    "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds",
    "es", "fs", "gs",
]  # fmt: skip
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class TracingFailed(QemuError):
    """The kernel did not let this process hold another, or that one was not as it must be."""


class Registers(ctypes.Structure):
    """`struct user_regs_struct` of x86-64 (sys/user.h)."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in _REGISTERS]  # noqa: RUF012 (ctypes' way)

    def value(self, name: str) -> int:
        """A register's content, unsigned."""
        content: int = getattr(self, name)
        return content

    @property
    def result(self) -> int:
        """What the system call gave, signed."""
        return ctypes.c_longlong(self.value("rax")).value

    def copy(self) -> Registers:
        """The same registers again."""
        return Registers.from_buffer_copy(self)


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]  # noqa: RUF012


_libc = ctypes.CDLL(None, use_errno=True)


def supported() -> str:
    """ "" where processes can be held as this module does it, else why not, as a sentence."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return f"Processes are forked on x86-64 Linux only, not on {os.uname().machine}."
    if os.geteuid() != 0:
        return "Forking a confined process takes root."
    return ""


class HeldProcess:
    """A process all of whose threads stand still, each in a system call.

    It is killed when the thread that made this object ends. Raises TracingFailed when a thread is
    somewhere else than in a system call; then nothing was changed, and all go on.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.threads = self._hold_all()
        self._first = self.registers(pid)
        self._syscall_at = self._first.value("rip") - len(_SYSCALL)
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        for thread in self.threads:
            if ctypes.c_longlong(self.registers(thread).value("orig_rax")).value < 0:
                raise TracingFailed(f"Thread {thread} of process {pid} was not waiting.")
        if self.read(self._syscall_at, len(_SYSCALL)) != _SYSCALL:
            raise TracingFailed(f"Process {pid} waits in a way that is not known.")

    def bury(self) -> None:
        """Wait for the end of each of its threads, once it has been killed; the first ends last."""
        for thread in sorted(self.threads, key=lambda thread: thread == self.pid):
            with contextlib.suppress(ChildProcessError):
                while not os.WIFSIGNALED(status := os.waitpid(thread, _WALL)[1]):
                    if os.WIFEXITED(status):
                        break
        os.close(self._memory)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of its memory."""
        return os.pread(self._memory, size, address)

    def write(self, address: int, content: bytes) -> None:
        """Put bytes into its memory, read-only or not."""
        written = os.pwrite(self._memory, content, address)
        if written != len(content):
            raise TracingFailed(f"Process {self.pid} has no memory at {address:#x}.")

    def registers(self, thread: int) -> Registers:
        """A thread's registers."""
        found = Registers()
        _ptrace(_GETREGS, thread, 0, ctypes.addressof(found))
        return found

    def extended_state(self, thread: int) -> bytes:
        """A thread's floating-point and vector registers, as XSAVE lays them out."""
        buffer = ctypes.create_string_buffer(_LARGEST_XSTATE_BYTES)
        vector = _Vector(ctypes.addressof(buffer), len(buffer))
        _ptrace(_GETREGSET, thread, _NT_X86_XSTATE, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def blocked_signals(self, thread: int) -> int:
        """The signals a thread blocks, a bit each, the first signal lowest."""
        mask = ctypes.c_ulonglong()
        _ptrace(_GETSIGMASK, thread, ctypes.sizeof(mask), ctypes.addressof(mask))
        return mask.value

    def id_address(self, thread: int) -> int:
        """Where a thread keeps its own number, which the kernel clears when it ends."""
        scratch = self.registers(thread).value("rsp") - _RED_ZONE_BYTES
        self.call(_SYS_PRCTL, _PR_GET_TID_ADDRESS, scratch, thread=thread)
        (address,) = struct.unpack("<Q", self.read(scratch, 8))
        return int(address)

    def call(self, number: int, *arguments: int, thread: int | None = None) -> int:
        """Have a thread, the first if none is named, make a system call; raises OSError.

        The thread's registers are as before afterwards.
        """
        thread = self.pid if thread is None else thread
        before = self.registers(thread)
        during = before.copy()
        during.rip, during.rax, during.orig_rax = self._syscall_at, number, _NO_CALL
        missing = len(_ARGUMENTS) - len(arguments)
        for name, argument in zip(_ARGUMENTS, [*arguments, *[0] * missing], strict=True):
            setattr(during, name, argument & _NO_CALL)
        self.set_registers(thread, during)
        _ptrace(_SINGLESTEP, thread, 0, 0)
        if (stop := _wait(thread)) != signal.SIGTRAP:
            raise TracingFailed(f"Process {self.pid} was stopped by {stop:#x} in a system call.")
        result = self.registers(thread).result
        self.set_registers(thread, before)
        if -4096 < result < 0:
            raise OSError(-result, f"system call {number}: {os.strerror(-result)}")
        return result

    def set_registers(self, thread: int, registers: Registers) -> None:
        """Change a thread's registers."""
        _ptrace(_SETREGS, thread, 0, ctypes.addressof(registers))

    def go_on(self, thread: int) -> None:
        """Let one thread run, from where its registers say."""
        _ptrace(_CONT, thread, 0, 0)

    def _hold_all(self) -> Sequence[int]:
        held: list[int] = []
        while fresh := sorted(set(self._thread_ids()) - set(held)):
            for thread in fresh:
                _ptrace(_SEIZE, thread, 0, _OPTION_EXIT_KILL | _OPTION_SUSPEND_SECCOMP)
                _ptrace(_INTERRUPT, thread, 0, 0)
                _wait(thread)
                held.append(thread)
        return sorted(held, key=lambda thread: thread != self.pid)

    def _thread_ids(self) -> list[int]:
        return [int(each.name) for each in Path(f"/proc/{self.pid}/task").iterdir()]


def _wait(thread: int) -> int:
    """The stop a thread has come to: a signal, and an event above it."""
    _, status = os.waitpid(thread, _WALL)
    if not os.WIFSTOPPED(status):
        raise TracingFailed(f"Process {thread} ended while it was to be held.")
    return status >> 8


def _ptrace(request: int, thread: int, address: int, data: int) -> None:
    words = [ctypes.c_ulong(request), ctypes.c_long(thread), ctypes.c_ulong(address)]
    if _libc.ptrace(*words, ctypes.c_ulong(data)) == -1:
        number = ctypes.get_errno()
        raise TracingFailed(
            f"Process {thread} cannot be held (ptrace request {request:#x}): {os.strerror(number)}."
        )
