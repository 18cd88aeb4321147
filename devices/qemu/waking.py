"""Clones that have been begun and are waited for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from devices.qemu.argv import guest_argv
from devices.qemu.errors import (
    DidNotWake,
    GuestExists,
    GuestSpawnFailed,
    ProcessGone,
    QemuError,
    QmpFailed,
)
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.monitor import Command, Monitor
from devices.qemu.open_files import OpenFiles
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.reaper import GUESTS
from devices.qemu.spawn import (
    check_room,
    find_program,
    open_guest,
    start_process,
    why_it_ended,
)
from devices.qemu.spec import DEBIAN_PACKAGES, QEMU_PROGRAMS, GuestSpec, WarmStart
from devices.qemu.template import Template

_WAKE: tuple[Command, ...] = (
    ("qmp_capabilities", {}),
    (
        "migrate-set-capabilities",
        {"capabilities": [{"capability": "x-ignore-shared", "state": True}]},
    ),
    ("getfd", {"fdname": "state"}),
    ("migrate-incoming", {"uri": "fd:state"}),
)


@dataclass
class Waking:
    """A clone that has a process, and the monitor that will tell that it runs.

    The pidfd is of a child of this process; `spec` is what its qemu was started with, None where it
    was forked.
    """

    launch: Launch
    command_line: list[str]
    monitor: Monitor
    pidfd: int
    identity: ProcessIdentity
    spec: GuestSpec | None = None

    def started(self) -> StartedGuest:
        """The guest it is from now on."""
        return StartedGuest(self.identity, self.command_line, forked=self.spec is None)


def make_place(launch: Launch, least_free_mib: int) -> str:
    """The empty folder of a guest to be; gives the program that runs it.

    Raises GuestExists when its guest runs, QemuMissing, or DiskFull.
    """
    program = find_program(QEMU_PROGRAMS[launch.architecture], DEBIAN_PACKAGES[launch.architecture])
    recorded = launch.folder.read_process()
    if recorded is not None and recorded.is_alive():
        raise GuestExists(
            f"The guest of {launch.serial} is running as process {recorded.pid}; end it first."
        )
    launch.folder.create()
    check_room(launch.folder, least_free_mib)
    return program


def begin(
    launch: Launch,
    template: Template,
    confinement: Confinement,
    *,
    least_free_mib: int,
    inherited: Iterable[int] = (),
) -> Waking:
    """Start a qemu that takes the template's state and goes on by itself.

    `inherited` are descriptors it has beside its own. Raises what starting a guest raises.
    """
    program = make_place(launch, least_free_mib)
    launch = replace(launch, start=WarmStart(template.memory_fd))
    with OpenFiles() as files, contextlib.ExitStack() as undo:
        for descriptor in inherited:
            files.kept_open(descriptor)
        spec = open_guest(launch, files, program)
        command_line = guest_argv(spec)
        monitor = undo.enter_context(Monitor(launch.folder.qmp_socket))
        state_fd = os.open(template.state, os.O_RDONLY | os.O_CLOEXEC)
        try:
            monitor.write(_WAKE, descriptors=[state_fd])
        finally:
            os.close(state_fd)
        child = start_process(launch, confinement, command_line, files)
        pidfd = os.pidfd_open(child.pid)
        child.returncode = 0  # from here on it is waited for by its pidfd
        undo.callback(kill, pidfd)
        try:
            identity = ProcessIdentity.of(child.pid)
        except ProcessGone:
            raise GuestSpawnFailed(why_it_ended(launch, _status(pidfd))) from None
        undo.pop_all()
        return Waking(launch, command_line, monitor, pidfd, identity, spec)


def wait_for(begun: Iterable[Waking], *, deadline_s: float) -> dict[str, StartedGuest | QemuError]:
    """What became of each by serial, once every one runs, has ended, or the deadline is over."""
    outcomes: dict[str, StartedGuest | QemuError] = {}
    waking = {guest.pidfd: guest for guest in begun}
    until = time.monotonic() + deadline_s
    poll = select.poll()
    by_monitor = {guest.monitor.fileno(): guest for guest in waking.values()}
    for descriptor in (*waking, *by_monitor):
        poll.register(descriptor, select.POLLIN)
    while waking:
        ready = poll.poll(max(0, round(1000 * (until - time.monotonic()))))
        # what has ended first: its monitor has nothing more to say
        for descriptor in sorted((each for each, _ in ready), key=lambda each: each in by_monitor):
            found = waking.get(descriptor) or by_monitor.get(descriptor)
            if found is None or found.pidfd not in waking:
                continue
            outcome = _outcome(found, ended=descriptor == found.pidfd)
            if outcome is not None:
                outcomes[found.launch.serial] = outcome
                del waking[found.pidfd], by_monitor[found.monitor.fileno()]
                poll.unregister(found.pidfd)
                poll.unregister(found.monitor.fileno())
                _let_go(found, outcome)
        if not ready:
            for guest in waking.values():
                outcomes[guest.launch.serial] = guest.started()
                _let_go(guest, outcomes[guest.launch.serial])
            break
    return outcomes


def kill(pidfd: int) -> None:
    """End a child at once, take its status and close its pidfd."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)


def _outcome(guest: Waking, *, ended: bool) -> StartedGuest | QemuError | None:
    """None while it is still waking; RESUME is what qemu says when the processor runs."""
    if ended:
        status = _status(guest.pidfd)
        killed = status == -signal.SIGKILL  # by somebody else, or the kernel for want of memory
        return (GuestSpawnFailed if killed else DidNotWake)(why_it_ended(guest.launch, status))
    try:
        guest.monitor.read()
    except QmpFailed as error:
        return DidNotWake(f"{guest.launch.serial} did not wake: {error}")
    if any(message.get("event") == "RESUME" for message in guest.monitor.take()):
        return guest.started()
    return None


def _let_go(guest: Waking, outcome: StartedGuest | QemuError) -> None:
    with guest.monitor:
        pass
    if isinstance(outcome, StartedGuest):
        GUESTS.adopt(guest.pidfd)
        return
    kill(guest.pidfd)
    guest.launch.folder.remove()


def _status(pidfd: int) -> int:
    """The exit status of a child that has ended, minus the signal's number if one ended it."""
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    if ended is None:
        return 0
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
