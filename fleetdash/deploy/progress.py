"""What bin/up prints: each step with what it is doing and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

NAME_WIDTH = 46


class Progress:
    """Prints steps; on a terminal a step's sayings replace each other, else each is a line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step with its time; `say` within it tells how it goes."""
        began = time.monotonic()
        if self._live:
            self._write(f"\r\033[K  {name} …")
        try:
            yield
        except BaseException:
            self._write(f"{self._fresh()}  {name}: failed\n")
            raise
        self._write(f"{self._fresh()}  {name:<{NAME_WIDTH}} {time.monotonic() - began:7.1f} s\n")

    def say(self, sentence: str) -> None:
        """How the present step goes."""
        if self._live:
            self._write(f"\r\033[K    {sentence[:100]}")
        else:
            self._write(f"    {sentence}\n")

    def line(self, sentence: str = "") -> None:
        """A line that stays."""
        self._write(f"{sentence}\n")

    def _fresh(self) -> str:
        return "\r\033[K" if self._live else ""

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "ascii"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()
