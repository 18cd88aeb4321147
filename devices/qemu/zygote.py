"""A template's clone that is held still and forked: its children are clones that cost next to none.

qemu itself cannot fork a machine. So a clone is woken, made to rehearse what its siblings will do,
paused, and its threads are held; its first thread is given a small server to run (fork_server.py).
A child shares every page with it until one of both writes: the guest's memory, qemu's own, and the
code that qemu has already translated for all it will do first.

The sandbox, user, namespace and control group of the zygote are its children's. Only the zygote's
serving thread is exempt from the sandbox, and only while the worker holds it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from devices.qemu import fork_server, ptrace, serving, waking
from devices.qemu.errors import GuestSpawnFailed, ProcessGone, QemuError
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, encode
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.monitor import Command, Monitor
from devices.qemu.open_files import OpenFiles
from devices.qemu.overlay import write_overlay
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.ptrace import HeldProcess
from devices.qemu.spawn import LEAST_FREE_MIB, START_DEADLINE_S
from devices.qemu.spec import GuestSpec
from devices.qemu.template import READY, Template
from devices.qemu.unix_socket import connect

REHEARSAL_DEADLINE_S = 60.0
FORK_DEADLINE_S = 10.0
# as long as a serial may be, so that a child's fits in its place on the command line
SERIAL = "zygote".ljust(fork_server.SERIAL_BYTES, "-")

_WAKE: tuple[Command, ...] = (("qmp_capabilities", {}), ("cont", {}))
_HOLD_DEADLINE_S = 15.0
_LOOK_EVERY_S = 0.5
_WALL = 0x40000000


class ZygoteLost(QemuError):
    """The zygote cannot fork any more; clones start a qemu of their own."""


class ZygoteFailed(QemuError):
    """No zygote could be made of the template; clones start a qemu each."""


class Zygote:
    """A process that forks itself into guests; made by `start`, ended by `close`."""

    def __init__(
        self,
        guest: StartedGuest,
        launch: Launch,
        spec: GuestSpec,
        control: socket.socket,
        identity: Identity,
    ) -> None:
        self._guest = guest
        self._launch = launch
        self._spec = spec
        self._control = control
        self._rehearsed = identity
        self._asking = threading.Lock()
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._alive = False
        self._thread: threading.Thread | None = None

    @classmethod
    def start(
        cls,
        launch: Launch,
        template: Template,
        confinement: Confinement,
        folder: GuestFolder,
        *,
        rehearsals: Sequence[Identity] = (),
    ) -> Zygote:
        """Wake a clone in `folder` that rehearses these identities and is then ready to fork.

        `launch` is the template's own. Raises ZygoteFailed with the reason; then nothing is left.
        """
        if reason := ptrace.supported():
            raise ZygoteFailed(reason)
        identity = launch.identity
        if identity is None or not identity.template:
            raise ZygoteFailed("Only a clone that waits as its template did can be forked.")
        launch = replace(launch, serial=SERIAL, folder=folder)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        zygote: Zygote | None = None
        try:
            with theirs:
                begun = waking.begin(
                    launch, template, confinement,
                    least_free_mib=LEAST_FREE_MIB, inherited=[theirs.fileno()],
                )  # fmt: skip
                control_fd = theirs.fileno()
            assert begun.spec is not None
            (outcome,) = waking.wait_for([begun], deadline_s=START_DEADLINE_S).values()
            if isinstance(outcome, QemuError):
                raise outcome
            ours.settimeout(FORK_DEADLINE_S)
            zygote = cls(outcome, launch, begun.spec, ours, identity)
            for rehearsal in rehearsals:
                zygote._rehearse(rehearsal)
            zygote._become_server(control_fd, zygote._rehearsed)
        except (QemuError, OSError, ValueError) as error:
            ours.close()
            if zygote is not None:
                zygote.close()
            launch.folder.remove()
            raise ZygoteFailed(f"Clones are not forked but started: {error}") from error
        return zygote

    def is_alive(self) -> bool:
        """Whether it can be asked to fork."""
        return self._alive

    @property
    def process(self) -> ProcessIdentity:
        """The process itself."""
        return self._guest.identity

    def close(self) -> None:
        """End it; its children stay."""
        self._alive = False
        self._closing.set()
        if self._thread is not None:
            self._thread.join(FORK_DEADLINE_S)
        self._guest.identity.end(deadline_s=FORK_DEADLINE_S, grace_s=0)
        self._control.close()
        self._launch.folder.remove()

    def fork(self, launch: Launch, *, least_free_mib: int = LEAST_FREE_MIB) -> waking.Waking:
        """A child that becomes this guest; it is written down before it begins.

        Raises ZygoteLost when the zygote does not answer, and what starting a guest raises.
        """
        folder = launch.folder
        waking.make_place(launch, least_free_mib)
        if launch.identity is None or launch.backing is None:
            raise GuestSpawnFailed(f"{launch.serial} has no identity or no disk to be forked with.")
        with OpenFiles() as files, contextlib.ExitStack() as undo:
            write_overlay(folder.overlay, launch.backing.stat().st_size)
            begin_fd, wait_fd = _pipe(undo)
            descriptors = [
                files.listening(folder.qmp_socket),
                files.listening(folder.console_socket),
                files.writable(folder.overlay),
                files.log(folder.log),
                wait_fd,
            ]
            monitor = undo.enter_context(Monitor(folder.qmp_socket))
            monitor.write(_WAKE)
            request = fork_server.request(encode(launch.identity), launch.serial)
            pid = self._ask(request, descriptors)
            if pid < 0:
                raise GuestSpawnFailed(f"{launch.serial} was not forked: {os.strerror(-pid)}.")
            try:
                pidfd = os.pidfd_open(pid)
                undo.callback(waking.kill, pidfd)
                identity = ProcessIdentity.of(pid)
            except (ProcessGone, ProcessLookupError):
                raise GuestSpawnFailed(f"{launch.serial} ended as it was forked.") from None
            folder.record(identity)
            os.write(begin_fd, b"1")
            command_line = [
                f"guest={launch.serial}" if word == f"guest={SERIAL}" else word
                for word in self._guest.command_line
            ]
            undo.pop_all()
            os.close(begin_fd)
            os.close(wait_fd)
            return waking.Waking(launch, command_line, monitor, pidfd, identity)

    def _ask(self, request: bytes, descriptors: Sequence[int]) -> int:
        with self._asking:
            try:
                socket.send_fds(self._control, [request], descriptors)
                answer = self._control.recv(8)
            except OSError as error:
                self._alive = False
                raise ZygoteLost(f"The zygote does not answer: {error}.") from error
        if len(answer) != 8:
            self._alive = False
            raise ZygoteLost("The zygote has ended.")
        (pid,) = struct.unpack("<q", answer)
        return int(pid)

    def _rehearse(self, identity: Identity) -> None:
        """Be somebody for a while, and ready again: what it runs then is translated afterwards."""
        with (
            Monitor(self._launch.folder.qmp_socket) as monitor,
            contextlib.closing(connect(self._launch.folder.console_socket)) as console,
        ):
            monitor.ask("qmp_capabilities", timeout_s=START_DEADLINE_S)
            monitor.ask("stop", timeout_s=START_DEADLINE_S)
            pid = self._guest.identity.pid
            serving.change_identity(pid, encode(self._rehearsed), encode(identity))
            self._rehearsed = identity
            monitor.ask("cont", timeout_s=START_DEADLINE_S)
            heard = b""
            until = time.monotonic() + REHEARSAL_DEADLINE_S
            poll = select.poll()
            poll.register(console, select.POLLIN)
            while READY not in heard:
                if not poll.poll(max(0, round(1000 * (until - time.monotonic())))):
                    raise ZygoteFailed("the rehearsal did not come to its end.")
                chunk = console.recv(4096)
                if not chunk:
                    raise ZygoteFailed("the guest ended in its rehearsal.")
                heard += chunk
            if b"rehearsal failed" in heard:
                said = heard.decode(errors="replace").split("rehearsal failed", 1)[1]
                raise ZygoteFailed(f"the rehearsal failed{said.splitlines()[0]}")

    def _become_server(self, control_fd: int, identity: Identity) -> None:
        with Monitor(self._launch.folder.qmp_socket) as monitor:
            monitor.ask("qmp_capabilities", timeout_s=START_DEADLINE_S)
            monitor.ask("stop", timeout_s=START_DEADLINE_S)
        self._thread = threading.Thread(
            target=self._hold, args=(control_fd, identity), name="zygote", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(_HOLD_DEADLINE_S):
            raise ZygoteFailed("the process did not come to rest.")
        if self._failure is not None:
            raise ZygoteFailed(str(self._failure)) from self._failure
        self._alive = True

    def _hold(self, control_fd: int, identity: Identity) -> None:
        """The thread that holds the process, for as long as it is to be held."""
        process = self._guest.identity
        held: HeldProcess | None = None
        try:
            serving.wait_until_still(process.pid)
            held = HeldProcess(process.pid)
            serving.install(
                held, self._launch.folder, self._spec, control_fd, encode(identity), SERIAL
            )
        except (QemuError, OSError, ValueError) as error:
            self._failure = error
        self._ready.set()
        while self._failure is None and not self._closing.wait(_LOOK_EVERY_S):
            # it has ended, or somebody sent it a signal, which it would wait for us to hand on
            if os.waitpid(process.pid, os.WNOHANG | _WALL)[0]:
                break
        self._alive = False
        with contextlib.suppress(ProcessGone):
            process.signal(signal.SIGKILL)
        if held is not None:
            held.bury()


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """The writing and the reading end of a pipe that are closed should something fail."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    undo.callback(os.close, reading)
    undo.callback(os.close, writing)
    return writing, reading
