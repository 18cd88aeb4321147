from __future__ import annotations

import gc
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.qemu.console import KEPT_BYTES, ConsoleRecorder
from devices.qemu.unix_socket import listen
from tests.open_files import open_files


class Heard:
    """What a recorder was told, in calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, serial: str, chunk: bytes) -> None:
        self.calls.append((serial, chunk))
        self.hold.wait(10)

    def of(self, serial: str) -> bytes:
        return b"".join(chunk for each, chunk in list(self.calls) if each == serial)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recorder(heard: Heard) -> Iterator[ConsoleRecorder]:
    recorder = ConsoleRecorder(heard, hand_on_every_s=0.05)
    recorder.start()
    yield recorder
    heard.hold.set()
    recorder.stop()


def eventually(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def accept(listening: socket.socket) -> socket.socket:
    listening.settimeout(30)
    connection, _ = listening.accept()
    connection.settimeout(30)
    return connection


def test_many_guests_are_heard_apart(
    tmp_path: Path, recorder: ConsoleRecorder, heard: Heard
) -> None:
    listening = [listen(tmp_path / f"{n}.sock") for n in range(20)]
    for n in range(20):
        recorder.add(f"guest-{n}", tmp_path / f"{n}.sock")
    guests = [accept(each) for each in listening]
    for n, guest in enumerate(guests):
        guest.sendall(b"I am %d\n" % n)
    eventually(lambda: len(heard.calls) == 20)
    for n in range(20):
        assert heard.of(f"guest-{n}") == b"I am %d\n" % n
        assert recorder.tail(f"guest-{n}") == b"I am %d\n" % n
    for each in (*guests, *listening):
        each.close()


def test_what_is_said_in_pieces_is_told_in_batches(tmp_path: Path, heard: Heard) -> None:
    recorder = ConsoleRecorder(heard, hand_on_every_s=0.4)
    recorder.start()
    began = time.monotonic()
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            for _ in range(80):
                guest.sendall(b"x")
                time.sleep(0.01)
            eventually(lambda: len(heard.of("a")) == 80)
    recorder.stop()
    assert 2 <= len(heard.calls) <= 3 + (time.monotonic() - began) / 0.4


def test_a_lost_connection_is_made_again(
    tmp_path: Path, recorder: ConsoleRecorder, heard: Heard
) -> None:
    path = tmp_path / "a.sock"
    recorder.add("a", path)  # nobody is there yet
    recorder.add("a", path)
    with listen(path) as listening:
        accept(listening).close()
        with accept(listening) as guest:
            guest.sendall(b"again")
            eventually(lambda: heard.of("a") == b"again")
    path.unlink()
    with listen(path) as listening, accept(listening) as guest:
        guest.sendall(b" and again")
        eventually(lambda: heard.of("a") == b"again and again")


def test_one_that_is_removed_is_left_alone(
    tmp_path: Path, recorder: ConsoleRecorder, heard: Heard
) -> None:
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            recorder.remove("a")
            recorder.remove("a")
            assert guest.recv(1) == b""
        assert recorder.tail("a") == b""
        listening.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listening.accept()
    assert heard.calls == []


def test_a_slow_listener_never_stops_a_guest(
    tmp_path: Path, recorder: ConsoleRecorder, heard: Heard
) -> None:
    heard.hold.clear()
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            guest.sendall(b"first")
            eventually(lambda: bool(heard.calls))
            everything = bytes(i % 256 for i in range(1 << 21))
            guest.sendall(everything)  # far more than a socket holds; times out when nobody reads
            eventually(lambda: recorder.tail("a") == everything[-KEPT_BYTES:])
            heard.hold.set()
            eventually(lambda: len(heard.calls) == 2)
    said = heard.calls[1][1]
    assert b"KiB left out" in said[:40]
    assert said.endswith(everything[-KEPT_BYTES // 2 :]) and len(said) <= KEPT_BYTES + 100


def test_an_error_of_the_listener_is_survived(tmp_path: Path) -> None:
    told: list[bytes] = []

    def fail_once(serial: str, chunk: bytes) -> None:
        told.append(chunk)
        if len(told) == 1:
            raise RuntimeError("Redis is away")

    recorder = ConsoleRecorder(fail_once, hand_on_every_s=0.01)
    recorder.start()
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            guest.sendall(b"one")
            eventually(lambda: told == [b"one"])
            guest.sendall(b"two")
            eventually(lambda: told == [b"one", b"two"])
    recorder.stop()


def test_stopping_hands_on_what_is_left(tmp_path: Path, heard: Heard) -> None:
    before = open_files()
    recorder = ConsoleRecorder(heard, hand_on_every_s=60.0)
    recorder.start()
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            guest.sendall(b"one")
            eventually(lambda: heard.of("a") == b"one")
            guest.sendall(b"two")
            eventually(lambda: recorder.tail("a") == b"onetwo")
            recorder.stop()
            assert heard.of("a") == b"onetwo"
        recorder.add("b", tmp_path / "a.sock")
    assert open_files() == before


def test_it_costs_nothing_while_nobody_speaks(tmp_path: Path, recorder: ConsoleRecorder) -> None:
    listening = [listen(tmp_path / f"{n}.sock") for n in range(100)]
    for n in range(100):
        recorder.add(f"guest-{n}", tmp_path / f"{n}.sock")
    time.sleep(0.2)

    def used_s() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    # what else this process has to do may fall into one of these seconds
    for last in (False, False, True):
        gc.collect()
        before = used_s()
        time.sleep(1.0)
        if (used := used_s() - before) < 0.02:
            break
        assert not last, used
    for each in listening:
        each.close()


def test_what_is_typed_reaches_the_guest(tmp_path: Path, recorder: ConsoleRecorder) -> None:
    assert recorder.write("a", b"x") == 0  # nobody of that name
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            assert recorder.write("a", b"ls\r") == 3
            assert guest.recv(16) == b"ls\r"
    recorder.remove("a")
    assert recorder.write("a", b"x") == 0


def test_a_guest_that_does_not_read_holds_up_nobody(
    tmp_path: Path, recorder: ConsoleRecorder, heard: Heard
) -> None:
    with listen(tmp_path / "a.sock") as listening:
        recorder.add("a", tmp_path / "a.sock")
        with accept(listening) as guest:
            taken = sum(recorder.write("a", b"x" * 1000) for _ in range(1000))
            assert 0 < taken < 1_000_000
            guest.sendall(b"still heard")
            eventually(lambda: heard.of("a") == b"still heard")


def test_a_console_that_is_typed_on_answers_sooner(tmp_path: Path, heard: Heard) -> None:
    recorder = ConsoleRecorder(heard, hand_on_every_s=60.0, hand_on_typed_every_s=0.05)
    recorder.start()
    with listen(tmp_path / "a.sock") as a, listen(tmp_path / "b.sock") as b:
        for name in "ab":
            recorder.add(name, tmp_path / f"{name}.sock")
        with accept(a) as quick, accept(b) as slow:
            quick.sendall(b"1")
            eventually(lambda: len(heard.calls) == 1)
            recorder.write("a", b"\r")
            slow.sendall(b"not yet")
            quick.sendall(b"2")
            eventually(lambda: heard.of("a") == b"12")
            quick.sendall(b"3")
            eventually(lambda: heard.of("a") == b"123")
            assert heard.of("b") == b""
            recorder.stop()
    assert heard.of("b") == b"not yet"
