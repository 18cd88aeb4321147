from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from devices.qemu.errors import ConfinementFailed
from devices.qemu.namespace import (
    ensure_namespace,
    listen_in_namespace,
    namespace_path,
    remove_namespace,
)
from devices.qemu.process_identity import ProcessIdentity

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root")


@pytest.fixture
def name() -> Iterator[str]:
    name = f"fleetdash-test-{uuid.uuid4().hex[:8]}"
    yield name
    remove_namespace(name)
    assert not namespace_path(name).exists()


def inside(name: str, *argv: str) -> str:
    return subprocess.check_output(["ip", "netns", "exec", name, *argv], text=True)


def test_it_is_empty_but_for_a_loopback(name: str) -> None:
    path = ensure_namespace(name)
    first = path.stat().st_ino
    assert first != os.stat("/proc/self/ns/net").st_ino
    links = inside(name, "ip", "-o", "link").splitlines()
    assert [line.split(": ")[1] for line in links if "UP" in line] == ["lo"]
    assert inside(name, "ip", "route") == ""
    assert ensure_namespace(name).stat().st_ino == first


def test_a_socket_listens_inside_and_not_outside(name: str) -> None:
    path = ensure_namespace(name)
    own = os.stat("/proc/self/ns/net").st_ino
    with listen_in_namespace(path, "127.0.0.1", 0) as listening:
        host, port = listening.getsockname()
        code = f"import socket; socket.create_connection(({host!r}, {port})).sendall(b'hello')"
        inside(name, "python3", "-c", code)
        listening.settimeout(5)
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=2).close()
        with pytest.raises(OSError, match="in use"):
            listen_in_namespace(path, host, port)
    assert os.stat("/proc/self/ns/net").st_ino == own


def test_a_lost_name_is_found_again_from_a_guest(name: str) -> None:
    inode = ensure_namespace(name).stat().st_ino
    guest = subprocess.Popen(["nsenter", f"--net={namespace_path(name)}", "sleep", "60"])
    try:
        while os.stat(f"/proc/{guest.pid}/ns/net").st_ino != inode:
            pass
        guests = [ProcessIdentity.of(os.getpid()), ProcessIdentity.of(guest.pid)]
        # what a new mount namespace sees: the file without the mount
        subprocess.run(["umount", namespace_path(name)], check=True)
        assert ensure_namespace(name, adopt_from=guests).stat().st_ino == inode
    finally:
        guest.kill()
        guest.wait()


def test_without_a_namespace_there_is_a_sentence(name: str) -> None:
    with pytest.raises(ConfinementFailed, match="cannot be entered"):
        listen_in_namespace(namespace_path(name), "127.0.0.1", 0)
