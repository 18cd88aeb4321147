"""Starts a guest: opens what it needs, gives up every right, becomes qemu.

A guest is in a session, a control group and a network namespace of its own, so it outlives whoever
started it and reaches nothing but the gateway.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

from devices.qemu.argv import guest_argv
from devices.qemu.errors import (
    DiskFull,
    GuestExists,
    GuestSpawnFailed,
    ProcessGone,
    QemuError,
    QemuMissing,
)
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.kvm_device import group_to_open
from devices.qemu.launch import BootloaderFiles, Confinement, Launch, StartedGuest
from devices.qemu.open_files import OpenFiles
from devices.qemu.overlay import write_overlay
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.reaper import GUESTS
from devices.qemu.spec import (
    DEBIAN_PACKAGES,
    QEMU_PROGRAMS,
    Bootloader,
    ColdStart,
    DirectKernel,
    Disk,
    GuestSpec,
)
from devices.qemu.unix_socket import connect

START_DEADLINE_S = 20.0
LEAST_FREE_MIB = 256
OOM_SCORE_ADJ = 500

_SCRIPT = Path(__file__).with_name("spawn.sh")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIMIT_SLACK_BYTES = 64 << 20
_LIMIT_BLOCK_BYTES = 512


def spawn(
    launch: Launch,
    confinement: Confinement,
    *,
    start_deadline_s: float = START_DEADLINE_S,
    least_free_mib: int = LEAST_FREE_MIB,
) -> StartedGuest:
    """Start a guest and wait until its qemu answers, or the deadline passes with it alive.

    A busy machine is no reason to give up a guest: one that is merely slow counts as started.
    Raises QemuMissing, DiskFull, DiskMissing, BadImage, GuestExists, BadIdentity, BadShape, or
    GuestSpawnFailed with what qemu said last; then nothing is left of it but a disk to be kept.
    """
    folder = launch.folder
    program = find_program(QEMU_PROGRAMS[launch.architecture], DEBIAN_PACKAGES[launch.architecture])
    recorded = folder.read_process()
    if recorded is not None and recorded.is_alive():
        raise GuestExists(
            f"The guest of {launch.serial} is running as process {recorded.pid}; end it first."
        )
    try:
        folder.create(keep_disk=launch.keep_disk)
        check_room(folder, least_free_mib)
        with OpenFiles() as files:
            spec = open_guest(launch, files, program)
            command_line = guest_argv(spec)
            child = start_process(launch, confinement, command_line, files)
        identity = _wait_for_start(launch, child, start_deadline_s)
    except OSError as error:
        _remove_what_is_new(launch)
        raise not_started(launch, error, least_free_mib) from error
    except BaseException:
        _remove_what_is_new(launch)
        raise
    return StartedGuest(identity, command_line)


def _remove_what_is_new(launch: Launch) -> None:
    if launch.keep_disk:
        launch.folder.keep_disk_only()
    else:
        launch.folder.remove()


def not_started(launch: Launch, error: OSError, least_free_mib: int) -> QemuError:
    """What the kernel refused to a guest that was to start."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(launch.folder.path, 0, least_free_mib)
    return GuestSpawnFailed(f"{launch.serial} was not started: {error}.")


def find_program(name: str, package: str) -> str:
    """The program's path; raises QemuMissing, which names the Debian package it is in."""
    path = shutil.which(name, path=_PATH) or shutil.which(name)
    if path is None:
        raise QemuMissing(name, package)
    return path


def check_room(folder: GuestFolder, least_free_mib: int) -> None:
    room = os.statvfs(folder.path)
    free_mib = room.f_bavail * room.f_frsize >> 20
    if free_mib < least_free_mib:
        raise DiskFull(folder.path, free_mib, least_free_mib)


def open_guest(launch: Launch, files: OpenFiles, program: str) -> GuestSpec:
    """Open everything as the caller, who may; the guest's user gets descriptors only."""
    boot: Bootloader | DirectKernel
    if isinstance(launch.boot, BootloaderFiles):
        environment = launch.boot.environment
        boot = Bootloader(
            files.image(launch.boot.image),
            None if environment is None else files.image(environment),
        )
    else:
        boot = DirectKernel(
            files.image(launch.boot.kernel),
            files.image(launch.boot.initramfs),
            launch.boot.command_line,
        )
    disk = None
    if launch.backing is not None:
        backing_fd = files.image(launch.backing)
        if not launch.keep_disk:
            write_overlay(launch.folder.overlay, os.fstat(backing_fd).st_size)
        disk = Disk(files.writable(launch.folder.overlay), backing_fd)
    if not isinstance(launch.start, ColdStart):
        files.kept_open(launch.start.memory_fd)
    return GuestSpec(
        serial=launch.serial,
        uuid=uuid5(NAMESPACE_DNS, f"{launch.serial}.fleetdash"),
        mac=launch.mac,
        architecture=launch.architecture,
        accelerator=launch.accelerator,
        boot=boot,
        qmp_fd=files.listening(launch.folder.qmp_socket),
        console_fd=files.listening(launch.folder.console_socket),
        shape=launch.shape,
        disk=disk,
        identity_fd=None if launch.identity is None else files.identity(launch.identity),
        start=launch.start,
        cpu_model=launch.cpu_model,
        program=program,
    )


def start_process(
    launch: Launch, confinement: Confinement, argv: list[str], files: OpenFiles
) -> subprocess.Popen[bytes]:
    cgroup = "" if confinement.cgroup is None else str(confinement.cgroup / "cgroup.procs")
    disk_bytes = 0 if launch.backing is None else launch.backing.stat().st_size
    limit = (disk_bytes + _LIMIT_SLACK_BYTES) // _LIMIT_BLOCK_BYTES
    log = files.log(launch.folder.log)
    return subprocess.Popen(
        [
            "/bin/sh", str(_SCRIPT), str(launch.folder.process), cgroup,
            str(OOM_SCORE_ADJ), str(limit),
            *_confining_words(launch, confinement), *argv,
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        cwd="/", env={}, start_new_session=True, pass_fds=files.for_guest(),
    )  # fmt: skip


def _confining_words(launch: Launch, confinement: Confinement) -> list[str]:
    """The programs that take rights away, each becoming the next: nsenter(1), setpriv(1)."""
    words: list[str] = []
    if confinement.network_namespace is not None:
        nsenter = find_program("nsenter", "util-linux")
        words += [nsenter, f"--net={confinement.network_namespace}", "--"]
    words += [find_program("setpriv", "util-linux"), "--no-new-privs"]
    if confinement.uid is not None and confinement.gid is not None:
        group = group_to_open() if launch.accelerator == "kvm" else None
        words += [
            f"--reuid={confinement.uid}", f"--regid={confinement.gid}",
            "--clear-groups" if group is None else f"--groups={group}",
            "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all",
        ]  # fmt: skip
    return [*words, "--"]


def _wait_for_start(
    launch: Launch, child: subprocess.Popen[bytes], deadline_s: float
) -> ProcessIdentity:
    """Until qemu answers on its QMP socket; raises GuestSpawnFailed when it ends before that."""
    pidfd = os.pidfd_open(child.pid)
    try:
        identity = ProcessIdentity.of(child.pid)
        ended = _ended_before_answer(launch.folder.qmp_socket, pidfd, deadline_s)
    except ProcessGone:
        ended = True
    except BaseException:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        child.wait()
        os.close(pidfd)
        raise
    if ended:
        os.close(pidfd)
        raise GuestSpawnFailed(why_it_ended(launch, child.wait()))
    GUESTS.adopt(pidfd)
    child.returncode = 0  # the reaper waits for it from here on
    return identity


def _ended_before_answer(qmp_socket: Path, pidfd: int, deadline_s: float) -> bool:
    """Whether qemu ended before it answered.

    Its greeting comes from a thread that starts early; an answer to a command comes from the main
    loop, which runs once the machine is complete.
    """
    until = time.monotonic() + deadline_s
    heard = b""
    with contextlib.suppress(ConnectionError), contextlib.closing(connect(qmp_socket)) as monitor:
        monitor.send(b'{"execute": "qmp_capabilities"}')
        while b'"return"' not in heard:
            ready = _readable([monitor.fileno(), pidfd], until)
            if pidfd in ready:
                return True
            if not ready:
                return False
            said = monitor.recv(4096)
            if not said:
                break
            heard += said
        else:
            return False
    # the monitor was closed without an answer: qemu is ending
    return pidfd in _readable([pidfd], until)


def _readable(descriptors: list[int], until: float) -> list[int]:
    poll = select.poll()  # a worker has more descriptors than select(2) can count
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [fd for fd, _ in poll.poll(max(0, round(1000 * (until - time.monotonic()))))]


def why_it_ended(launch: Launch, status: int) -> str:
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    said = launch.folder.last_log_lines()
    heard = f"It said: {said}" if said else "It said nothing."
    return f"qemu ended with {how} before the guest {launch.serial} had begun. {heard}"
