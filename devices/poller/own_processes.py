"""What our own processes on this host use, said every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from devices.host import processes

EVERY_S = 5


class OwnProcesses:
    """Reads at every fifth call of `note`, which comes once a second, and offers what it found."""

    def __init__(
        self,
        run: Path,
        *,
        offer: Callable[[str, Callable[[], None]], None],
        keep: Callable[[Sequence[dict[str, Any]]], None],
    ) -> None:
        self._run = run
        self._offer = offer
        self._keep = keep
        self._seconds = 0

    def note(self) -> None:
        """A second has passed."""
        self._seconds += 1
        if self._seconds % EVERY_S != 1:
            return
        uses = [use.to_json() for use in processes.read(self._run)]
        self._offer("processes", lambda: self._keep(uses))
