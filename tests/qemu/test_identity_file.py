from __future__ import annotations

from dataclasses import replace

import pytest

from devices.qemu.errors import BadIdentity
from devices.qemu.identity_file import Identity, encode, mac_for

IDENTITY = Identity(
    serial="000000000001",
    mac="02:00:00:00:00:01",
    hostname="device-1",
    secret="k7Zb0Jc2rXxQk0lmY3m0m2W9tq4o8d1vJ6uQeRtYuIo",
    gateway="10.0.2.2:4000",
    time=1_700_000_000,
    entropy="0123456789abcdef" * 4,
)


def test_it_is_512_bytes_of_lines_padded_with_line_ends() -> None:
    content = encode(IDENTITY)
    assert len(content) == 512
    lines = content.rstrip(b"\n").decode("ascii").split("\n")
    assert dict(line.split("=", 1) for line in lines) == {
        "serial": "000000000001",
        "mac": "02:00:00:00:00:01",
        "hostname": "device-1",
        "secret": IDENTITY.secret,
        "gateway": "10.0.2.2:4000",
        "time": "1700000000",
        "entropy": IDENTITY.entropy,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serial", "one\nmac=2"), ("serial", ""), ("serial", "x" * 33),
        ("mac", "02:00:00:00:00"), ("hostname", "-a"), ("hostname", "a" * 64),
        ("secret", "short"), ("gateway", "10.0.2.2"), ("entropy", "0" * 63), ("time", -1),
    ],
)  # fmt: skip
def test_what_breaks_the_form_is_refused(field: str, value: str | int) -> None:
    broken = replace(IDENTITY, **{field: value})  # type: ignore[arg-type]
    with pytest.raises(BadIdentity, match=field):
        encode(broken)


def test_the_longest_identity_fits() -> None:
    longest = replace(
        IDENTITY, serial="s" * 32, hostname="h" * 63, gateway="g" * 64 + ":65535",
        time=(1 << 40) - 1,
    )  # fmt: skip
    assert len(encode(longest)) == 512


def test_neither_secret_nor_entropy_is_shown() -> None:
    assert IDENTITY.secret not in repr(IDENTITY)
    assert IDENTITY.entropy not in repr(IDENTITY)
    with pytest.raises(BadIdentity) as refusal:
        encode(replace(IDENTITY, secret="not-quite-long-enough"))
    assert "not-quite-long-enough" not in str(refusal.value)


def test_addresses_are_local_unicast_and_distinct() -> None:
    assert mac_for(0) == "02:00:00:00:00:00"
    assert mac_for(0x1234) == "02:00:00:00:12:34"
    first_byte = int(mac_for((1 << 40) - 1)[:2], 16)
    assert first_byte & 1 == 0
    assert first_byte & 2 == 2
    assert len({mac_for(number) for number in range(5000)}) == 5000
    with pytest.raises(BadIdentity):
        mac_for(1 << 40)
