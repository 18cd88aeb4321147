"""The guests' network namespace: empty but for a loopback on which only the gateway listens.

A guest's user networking (qemu's libslirp) opens its connections from the namespace qemu is in, so
in an empty one 10.0.2.2 leads to nothing but what was opened inside (network_namespaces(7)).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from devices.qemu.errors import ConfinementFailed, QemuMissing
from devices.qemu.process_identity import ProcessIdentity

_NAMES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_COMMAND_DEADLINE_S = 10.0
_BACKLOG = 4096


def namespace_path(name: str) -> Path:
    """Where `ip netns` keeps the namespace of that name."""
    return _NAMES / name


def ensure_namespace(name: str, *, adopt_from: Iterable[ProcessIdentity] = ()) -> Path:
    """The namespace of that name, made when there is none, with its loopback up; needs root.

    A name lives in a mount namespace and may be lost while guests run on: then the namespace of the
    first running guest in `adopt_from` gets the name again. Raises ConfinementFailed.
    """
    path = namespace_path(name)
    if not _is_other_network(path):
        if path.exists():
            _ip("netns", "delete", name)
        guest = next((each for each in adopt_from if _is_confined(each)), None)
        try:
            if guest is None:
                _ip("netns", "add", name)
            else:
                _ip("netns", "attach", name, str(guest.pid))
        except ConfinementFailed:
            if not _is_other_network(path):  # else another process was first
                raise
    _ip("-n", name, "link", "set", "lo", "up")
    return path


def remove_namespace(name: str) -> None:
    """Take the name away; the namespace goes with the last process in it. None is no error."""
    if namespace_path(name).exists():
        _ip("netns", "delete", name)


def listen_in_namespace(path: Path, host: str, port: int) -> socket.socket:
    """A socket that listens inside the namespace while this process stays outside; needs root.

    Raises ConfinementFailed when the namespace cannot be entered, OSError when the port is taken.
    """
    answer: list[socket.socket | OSError] = []

    def listen() -> None:
        try:
            _enter(path)
            answer.append(_listening(host, port))
        except OSError as error:
            answer.append(error)

    # only the thread that calls setns(2) changes its network, so it must end with the call
    thread = threading.Thread(target=listen, name="listen-in-namespace")
    thread.start()
    thread.join()
    if isinstance(answer[0], PermissionError | FileNotFoundError):
        raise ConfinementFailed(
            f"The guests' network namespace {path} cannot be entered ({answer[0].strerror}): "
            "run this as root, and bin/up first."
        ) from answer[0]
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


def _listening(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _enter(path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def _is_other_network(path: Path) -> bool:
    """Whether a network namespace other than ours is mounted there."""
    try:
        own, other = os.stat("/proc/self/ns/net"), path.stat()
    except OSError:
        return False
    return own.st_dev == other.st_dev and own.st_ino != other.st_ino


def _is_confined(guest: ProcessIdentity) -> bool:
    return guest.is_alive() and _is_other_network(Path(f"/proc/{guest.pid}/ns/net"))


def _ip(*words: str) -> None:
    program = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise QemuMissing("ip", "iproute2")
    done = subprocess.run(
        [program, *words],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_DEADLINE_S, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ConfinementFailed(f"`ip {' '.join(words)}` did not work: {said}")
