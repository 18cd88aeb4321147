from __future__ import annotations

import re

from devices.qemu.console_share import BURST_BYTES, BYTES_PER_S, Share


def test_who_speaks_little_is_handed_on_whole() -> None:
    share = Share()
    share.append(b"one\r\n")
    share.append(b"two")
    assert share.take(0.0) == b"one\r\ntwo"
    assert share.take(0.0) == b""


def test_who_never_stops_gets_the_rate_and_the_newest_comes_through() -> None:
    share = Share(bytes_per_s=10_000, burst_bytes=20_000)
    handed_on = b""
    line = 0
    for tenth in range(100):  # ten seconds of 100,000 bytes each
        for _ in range(1000):
            share.append(b"%08d\r\n" % line)
            line += 1
        chunk = share.take(tenth / 10)
        assert not chunk or chunk.endswith(b"%08d\r\n" % (line - 1))
        handed_on += chunk
    assert 100_000 < len(handed_on) < 1.1 * (20_000 + 10 * 10_000)
    lines = [each for each in handed_on.decode().split("\r\n") if each and "left out" not in each]
    assert all(re.fullmatch(r"\d{8}", each) for each in lines), "a line is cut in two"


def test_what_is_left_out_is_counted() -> None:
    share = Share(burst_bytes=4096)
    said = b"".join(b"%06d\r\n" % n for n in range(5000))
    share.append(said)
    chunk = share.take(0.0)
    found = re.match("\r\n\x1b\\[0m… (\\d+) KiB left out …\r\n".encode(), chunk)
    assert found, chunk[:80]
    kept = chunk[found.end() :]
    assert said.endswith(kept)
    assert int(found[1]) == round((len(said) - len(kept)) / 1024)


def test_a_share_grows_with_time_and_no_further_than_the_burst() -> None:
    share = Share()
    share.append(b"x" * BURST_BYTES)
    assert len(share.take(0.0)) == BURST_BYTES
    share.append(b"y" * 2000)
    assert share.take(0.001) == b""  # not worth a message yet
    assert share.take(2000 / BYTES_PER_S + 0.1) == b"y" * 2000
    share.append(b"z" * BURST_BYTES)
    assert len(share.take(1e6)) == BURST_BYTES


def test_the_last_word_is_not_kept_back() -> None:
    share = Share(burst_bytes=1000)
    share.append(b"a" * 1000)
    share.take(0.0)
    share.append(b"bc")
    assert share.take(0.0) == b""
    assert b"left out" in share.take(0.0, last=True)
