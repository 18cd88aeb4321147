from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.qemu import qmp
from devices.qemu.errors import QmpFailed
from devices.qemu.unix_socket import listen


@contextmanager
def empty_machine(path: Path) -> Iterator[Path]:
    """A qemu without a machine in it, listening at a path."""
    with listen(path) as listening:
        process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-machine", "none", "-nodefaults", "-display", "none", "-S",
                "-chardev", f"socket,id=qmp,fd={listening.fileno()},server=on,wait=off",
                "-mon", "chardev=qmp,mode=control",
            ],
            pass_fds=[listening.fileno()],
        )  # fmt: skip
    try:
        yield path
    finally:
        process.kill()
        process.wait()


def answering(path: Path) -> Path:
    """The same path, once qemu there has begun to answer; fails after a minute."""
    assert qmp.query_status(path, timeout_s=60) == "prelaunch"
    return path


def test_a_machine_says_how_it_is(tmp_path: Path) -> None:
    with empty_machine(tmp_path / "qmp.sock") as path:
        assert qmp.query_status(answering(path)) == "prelaunch"
        qmp.execute(path, "cont")
        assert qmp.query_status(path) == "running"


def test_a_refusal_has_qemus_own_words(tmp_path: Path) -> None:
    with empty_machine(tmp_path / "qmp.sock") as path:
        answering(path)
        with pytest.raises(QmpFailed, match=r"refused no-such-command.*not been found"):
            qmp.execute(path, "no-such-command")
        with pytest.raises(QmpFailed, match="command-line. is missing"):
            qmp.execute(path, "human-monitor-command", {"nonsense": 1})
        assert qmp.query_status(path) == "prelaunch"


def test_many_are_asked_at_once_and_one_that_is_gone_spoils_nothing(tmp_path: Path) -> None:
    with (
        empty_machine(tmp_path / "a.sock") as a,
        empty_machine(tmp_path / "b.sock") as b,
    ):
        asked = {"a": answering(a), "b": answering(b), "c": tmp_path / "none"}
        answers = qmp.execute_many(asked, "query-status")
    assert list(answers) == ["a", "b", "c"]
    assert isinstance(answers["a"], dict)
    assert answers["a"]["status"] == "prelaunch"
    assert answers["b"] == answers["a"]
    assert isinstance(answers["c"], QmpFailed)


def test_one_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with listen(tmp_path / "qmp.sock"):
        began = time.monotonic()
        with pytest.raises(QmpFailed, match=r"within 0\.3 s"):
            qmp.query_status(tmp_path / "qmp.sock", timeout_s=0.3)
        assert time.monotonic() - began < 4.5


def test_a_connection_lost_before_the_command_is_made_again(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def lose_one_then_answer(listening: socket.socket) -> None:
        listening.accept()[0].close()
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
            while message := connection.recv(4096):
                asked.append(message)
                said = json.loads(message)
                answer = {} if said["execute"] == "qmp_capabilities" else {"status": "paused"}
                known = {"id": said["id"]} if "id" in said else {}
                connection.sendall(json.dumps({"return": answer, **known}).encode() + b"\r\n")

    with listen(tmp_path / "qmp.sock") as listening:
        thread = threading.Thread(target=lose_one_then_answer, args=(listening,))
        thread.start()
        assert qmp.query_status(tmp_path / "qmp.sock", timeout_s=60) == "paused"
        thread.join(60)
    assert len(asked) == 2
