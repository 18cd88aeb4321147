"""What turns a held process into one that forks itself on request, as bytes (fork_server.s).

A child has to be given what fork(2) does not give: its own open files in place of its parent's, and
the threads, which begin on signal frames that hold the registers of the parent's. All is laid out
here once; the process then needs nobody's help to fork, and a child costs what fork costs.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from devices.qemu.identity_file import SIZE_BYTES as IDENTITY_BYTES
from devices.qemu.ptrace import Registers

CODE = bytes.fromhex(
    "b82f0000004489f74c89fe31d20f054885c07e52498b4f4049894f28b838000000498b7f4831f631d24d8b57504531"
    "c00f054885c0743b49894758b8b4010000418d7e01beffffffff31d20f05b8010000004489f7498d7758ba08000000"
    "0f054883f808749ab8e7000000bf460000000f05498d9f00040000488b034883f8ff7431488b7b08488b7310488b53"
    "184c8b53204c8b43284c8b4b300f0548833b3875054885c07410483b43387cb94883c340ebc6498b6760b80f000000"
    "0f05"
)

NAME_BYTES = 16
SERIAL_BYTES = 32
REQUEST_BYTES = IDENTITY_BYTES + NAME_BYTES + SERIAL_BYTES
# qmp, console, overlay, log, and the reading end of a pipe a child waits for
RECEIVED = 5

_READ, _DUP2, _PRCTL, _EVENTFD2, _SIGNALFD4, _CLOSE_RANGE, _CLONE = (
    0, 33, 157, 290, 289, 436, 56,
)  # fmt: skip
_PR_SET_NAME = 15
_NONBLOCK = 0o4000
_ALL = 0xFFFFFFFF
_END_OF_ROWS = 2**64 - 1

# clone(2)
_VM, _FS, _FILES, _SIGHAND, _PARENT, _THREAD, _SYSVSEM, _SETTLS = (
    0x100, 0x200, 0x400, 0x800, 0x8000, 0x10000, 0x40000, 0x80000,
)  # fmt: skip
_PARENT_SETTID, _CHILD_CLEARTID, _CHILD_SETTID = 0x100000, 0x200000, 0x1000000
# a child is its parent's parent's, who started that too and waits for both
_FORK_FLAGS = _PARENT | _CHILD_SETTID | _CHILD_CLEARTID | signal.SIGCHLD
_THREAD_FLAGS = (
    _VM | _FS | _FILES | _SIGHAND | _THREAD | _SYSVSEM | _SETTLS | _PARENT_SETTID | _CHILD_CLEARTID
)

_CONTROL_AT, _VECTORS_AT, _NAME_AT, _BYTE_AT, _MASKS_AT, _ROWS_AT = 256, 128, 512, 536, 544, 1024
_CONTROL_BYTES = 64
_ROW_BYTES = 64
_MOST_MASKS = (_ROWS_AT - _MASKS_AT) // 8
# struct rt_sigframe without its return address: ucontext, whose last word is the signal mask
_CONTEXT_BYTES = 304
_FRAME_ALIGNMENT = 64  # which a row's size is, too
_UC_FLAGS = 0x7  # extended state is there, the stack segment too, restore it strictly
_SS_DISABLE = 2
_MAGIC_1, _MAGIC_2 = 0x46505853, 0x46505845
_SOFTWARE_AT = 464  # of the extended state; its first word holds the features in it
_RESTARTED = (-512, -513, -514)  # the kernel would make the call again
_RESTART_BLOCK = -516
_EINTR = -4


@dataclass(frozen=True)
class ThreadState:
    """All there is of a thread that waits in a system call."""

    registers: Registers
    extended: bytes
    blocked_signals: int
    id_address: int


@dataclass(frozen=True)
class Files:
    """Descriptors of the process that a child must not share with it.

    `events` and `signals` carry their initial count and their mask; `first_free` is the control
    socket's, above all that are kept.
    """

    qmp: int
    console: int
    overlay: Sequence[int]
    log: Sequence[int]
    events: Sequence[tuple[int, int]]
    signals: Sequence[tuple[int, int]]
    first_free: int


def data(
    base: int, threads: Sequence[ThreadState], files: Files, *, identity_at: int, serial_at: int
) -> bytes:
    """The server's data, to lie at `base`; the first of the threads is the one that serves.

    A request's bytes go to the identity, the name and the serial on the command line, in this
    order.
    """
    rows = _file_rows(base, files)
    # those, one for each thread but the first, and the end
    frames_at = _ROWS_AT + _ROW_BYTES * (len(rows) + len(threads))
    frames, stacks = b"", []
    for thread in threads:
        stacks.append(base + frames_at + len(frames))
        frames += _frame(stacks[-1], thread)
    for thread, stack in zip(threads[1:], stacks[1:], strict=True):
        at = thread.id_address
        rows.append(
            _row(_CLONE, _THREAD_FLAGS, stack, at, at, thread.registers.value("fs_base"), least=1)
        )
    rows.append(_row(_END_OF_ROWS))

    content = bytearray(frames_at + len(frames))
    header = struct.pack("<7Q", 0, 0, base + _VECTORS_AT, 3, base + _CONTROL_AT, _CONTROL_BYTES, 0)
    content[: len(header)] = header
    struct.pack_into("<Q", content, 64, _CONTROL_BYTES)
    struct.pack_into("<2Q", content, 72, _FORK_FLAGS, threads[0].id_address)
    struct.pack_into("<Q", content, 96, stacks[0])
    struct.pack_into(
        "<6Q", content, _VECTORS_AT,
        identity_at, IDENTITY_BYTES, base + _NAME_AT, NAME_BYTES, serial_at, SERIAL_BYTES,
    )  # fmt: skip
    if len(files.signals) > _MOST_MASKS:
        raise ValueError("too many signal descriptors")
    for index, (_, mask) in enumerate(files.signals):
        struct.pack_into("<Q", content, _MASKS_AT + 8 * index, mask)
    content[_ROWS_AT : _ROWS_AT + _ROW_BYTES * len(rows)] = b"".join(rows)
    content[frames_at:] = frames
    return bytes(content)


def request(identity: bytes, serial: str) -> bytes:
    """What a child is to be: its identity, and the serial that ps(1) shows."""
    name = serial.encode()[: NAME_BYTES - 1].ljust(NAME_BYTES, b"\0")
    return identity + name + serial.encode().ljust(SERIAL_BYTES)


def _file_rows(base: int, files: Files) -> list[bytes]:
    received = range(files.first_free + 1, files.first_free + 1 + RECEIVED)
    qmp, console, overlay, log, begin = received
    rows = [
        # nobody has written down yet that it is there: should he die, it must not begin
        _row(_READ, begin, base + _BYTE_AT, 1, least=1),
        _row(_PRCTL, _PR_SET_NAME, base + _NAME_AT),
        _row(_DUP2, qmp, files.qmp),
        _row(_DUP2, console, files.console),
        *(_row(_DUP2, overlay, each) for each in files.overlay),
        *(_row(_DUP2, log, each) for each in files.log),
    ]
    fresh = received.stop
    for descriptor, count in files.events:
        rows += [_row(_EVENTFD2, count, _NONBLOCK), _row(_DUP2, fresh, descriptor)]
        fresh += 1
    for index, (descriptor, _) in enumerate(files.signals):
        rows += [
            _row(_SIGNALFD4, -1, base + _MASKS_AT + 8 * index, 8, _NONBLOCK),
            _row(_DUP2, fresh, descriptor),
        ]
        fresh += 1
    return [*rows, _row(_CLOSE_RANGE, files.first_free, _ALL)]


def _row(number: int, *arguments: int, least: int = 0) -> bytes:
    words = [number, *arguments, *[0] * (6 - len(arguments)), least]
    return struct.pack("<8Q", *(word & (2**64 - 1) for word in words))


def _frame(at: int, thread: ThreadState) -> bytes:
    """A signal frame from which rt_sigreturn(2) gives the thread its registers back."""
    registers = resumed(thread.registers)
    extended_at = at + _CONTEXT_BYTES
    extended_at += -extended_at % _FRAME_ALIGNMENT
    value = registers.value
    order = [
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx",
        "rdx", "rax", "rcx", "rsp", "rip", "eflags",
    ]  # fmt: skip
    context = struct.pack("<2Q", _UC_FLAGS, 0)
    context += struct.pack("<Q2IQ", 0, _SS_DISABLE, 0, 0)
    context += struct.pack("<18Q", *(value(name) for name in order))
    context += struct.pack("<4H", value("cs"), 0, 0, value("ss"))
    context += struct.pack("<5Q", 0, 0, 0, 0, extended_at)
    context += struct.pack("<8Q", *[0] * 8)
    context += struct.pack("<Q", thread.blocked_signals)
    extended = _with_magic(thread.extended)
    frame = context.ljust(extended_at - at, b"\0") + extended
    return frame.ljust(len(frame) + -len(frame) % _FRAME_ALIGNMENT, b"\0")


def _with_magic(extended: bytes) -> bytes:
    """The extended state as the kernel expects it in a signal frame (asm/sigcontext.h)."""
    state = bytearray(extended)
    (features,) = struct.unpack_from("<Q", state, _SOFTWARE_AT)
    struct.pack_into("<2IQI", state, _SOFTWARE_AT, _MAGIC_1, len(state) + 4, features, len(state))
    return bytes(state) + struct.pack("<I", _MAGIC_2)


def resumed(registers: Registers) -> Registers:
    """Registers of a thread interrupted in a system call, so that it makes the call again.

    Where the kernel would have gone on from notes of its own, the call ends as interrupted.
    """
    again = registers.copy()
    if registers.result in _RESTARTED:
        again.rax = registers.value("orig_rax")
        again.rip = registers.value("rip") - 2
    elif registers.result == _RESTART_BLOCK:
        again.rax = _EINTR & (2**64 - 1)
    return again
