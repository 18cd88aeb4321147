from __future__ import annotations

import pytest

from devices.services.typed_text import as_text, pieces


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (b"", ""),
        (b"\r", "⏎"),
        (b"ls -l\rpwd\r", "ls -l ⏎ pwd ⏎"),
        (b"lx\x7fs\tx", "lx⌫s⇥x"),
        (b"\x03\x1b[A", "^C^[[A"),
        ("grün\r".encode(), "grün ⏎"),
        (b"\xff<b>", "�<b>"),
    ],
)
def test_typed_keys_can_be_read(typed: bytes, text: str) -> None:
    assert as_text(typed) == text


def test_a_long_text_comes_in_pieces() -> None:
    assert pieces("abcde", 2) == ["ab", "cd", "e"]
    assert pieces("", 2) == [""]
