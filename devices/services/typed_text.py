"""What somebody typed on a console, as text that can be read in a list. No input or output."""

from __future__ import annotations

_NAMES = {"\r": " ⏎ ", "\n": " ⏎ ", "\t": "⇥", "\x7f": "⌫", "\x08": "⌫"}


def as_text(typed: bytes) -> str:
    """One line: ⏎ ends a typed line, ⌫ and ⇥ are those keys, ^C is Ctrl+C, ^[ is Escape."""
    text = "".join(_readable(character) for character in typed.decode("utf-8", "replace"))
    return " ".join(text.split())


def _readable(character: str) -> str:
    if character in _NAMES:
        return _NAMES[character]
    if character < " ":
        return "^" + chr(ord(character) ^ 64)
    return character if character.isprintable() else "�"


def pieces(text: str, size: int) -> list[str]:
    """The text in pieces of at most `size` characters; one empty piece for none."""
    return [text[first : first + size] for first in range(0, len(text), size)] or [""]
