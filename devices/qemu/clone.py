"""Wakes clones of a template, each as its own guest with every protection of a cold one.

All of them are started before any is waited for: qemu finds what it is to do on its QMP socket,
with the template's state as an open file beside it, and goes on by itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from devices.qemu.argv import guest_argv
from devices.qemu.errors import GuestExists, GuestSpawnFailed, ProcessGone, QemuError, QmpFailed
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.monitor import Command, Monitor
from devices.qemu.open_files import OpenFiles
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.reaper import GUESTS
from devices.qemu.spawn import (
    LEAST_FREE_MIB,
    START_DEADLINE_S,
    check_room,
    find_program,
    open_guest,
    start_process,
    why_it_ended,
)
from devices.qemu.spec import DEBIAN_PACKAGES, QEMU_PROGRAMS, WarmStart
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
class _Waking:
    launch: Launch
    child: subprocess.Popen[bytes]
    command_line: list[str]
    monitor: Monitor
    pidfd: int
    identity: ProcessIdentity


def clone(
    launch: Launch,
    template: Template,
    confinement: Confinement,
    *,
    start_deadline_s: float = START_DEADLINE_S,
) -> StartedGuest:
    """Wake one clone; raises what `clone_many` gives in its place."""
    (outcome,) = clone_many(
        [launch], template, confinement, start_deadline_s=start_deadline_s
    ).values()
    if isinstance(outcome, QemuError):
        raise outcome
    return outcome


def clone_many(
    launches: Sequence[Launch],
    template: Template,
    confinement: Confinement,
    *,
    start_deadline_s: float = START_DEADLINE_S,
    least_free_mib: int = LEAST_FREE_MIB,
) -> Mapping[str, StartedGuest | QemuError]:
    """What became of each by serial, once every one runs, has ended, or the deadline is over.

    One that is merely slow counts as started. Of one that failed nothing is left but its error.
    """
    outcomes: dict[str, StartedGuest | QemuError] = {}
    waking: dict[int, _Waking] = {}
    for launch in launches:
        try:
            guest = _begin(launch, template, confinement, least_free_mib)
            waking[guest.pidfd] = guest
        except (QemuError, OSError) as error:
            outcomes[launch.serial] = _failed(launch, error)
    until = time.monotonic() + start_deadline_s
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
                outcomes[guest.launch.serial] = StartedGuest(guest.identity, guest.command_line)
                _let_go(guest, outcomes[guest.launch.serial])
            break
    return outcomes


def _begin(
    launch: Launch, template: Template, confinement: Confinement, least_free_mib: int
) -> _Waking:
    folder = launch.folder
    program = find_program(QEMU_PROGRAMS[launch.architecture], DEBIAN_PACKAGES[launch.architecture])
    recorded = folder.read_process()
    if recorded is not None and recorded.is_alive():
        raise GuestExists(
            f"The guest of {launch.serial} is running as process {recorded.pid}; end it first."
        )
    launch = replace(launch, start=WarmStart(template.memory_fd))
    folder.create()
    check_room(folder, least_free_mib)
    with OpenFiles() as files, contextlib.ExitStack() as undo:
        command_line = guest_argv(open_guest(launch, files, program))
        monitor = undo.enter_context(Monitor(folder.qmp_socket))
        state_fd = os.open(template.state, os.O_RDONLY | os.O_CLOEXEC)
        try:
            monitor.write(_WAKE, descriptors=[state_fd])
        finally:
            os.close(state_fd)
        child = start_process(launch, confinement, command_line, files)
        undo.callback(_kill, child)
        pidfd = os.pidfd_open(child.pid)
        undo.callback(os.close, pidfd)
        try:
            identity = ProcessIdentity.of(child.pid)
        except ProcessGone:
            raise GuestSpawnFailed(why_it_ended(launch, child.wait())) from None
        undo.pop_all()
        return _Waking(launch, child, command_line, monitor, pidfd, identity)


def _outcome(guest: _Waking, *, ended: bool) -> StartedGuest | QemuError | None:
    """None while it is still waking; RESUME is what qemu says when the processor runs."""
    if ended:
        return GuestSpawnFailed(why_it_ended(guest.launch, guest.child.wait()))
    try:
        guest.monitor.read()
    except QmpFailed as error:
        return GuestSpawnFailed(f"{guest.launch.serial} did not wake: {error}")
    if any(message.get("event") == "RESUME" for message in guest.monitor.take()):
        return StartedGuest(guest.identity, guest.command_line)
    return None


def _let_go(guest: _Waking, outcome: StartedGuest | QemuError) -> None:
    with guest.monitor:
        pass
    if isinstance(outcome, StartedGuest):
        GUESTS.adopt(guest.pidfd)
        guest.child.returncode = 0  # the reaper waits for it from here on
        return
    if guest.child.returncode is None:
        _kill(guest.child)
    os.close(guest.pidfd)
    guest.launch.folder.remove()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is not None:
        return  # its number may be another's by now
    pidfd = os.pidfd_open(child.pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    child.wait()


def _failed(launch: Launch, error: Exception) -> QemuError:
    if isinstance(error, GuestExists):
        return error
    launch.folder.remove()
    if isinstance(error, QemuError):
        return error
    return GuestSpawnFailed(f"{launch.serial} was not started: {error}.")
