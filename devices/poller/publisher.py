"""Says the newest of everything, from a thread of its own, so that Redis never stops the clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class LatestPublisher:
    """Keeps one thing to say for each kind; a newer one takes the older one's place unsaid."""

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def offer(self, kind: str, say: Callable[[], None]) -> None:
        """Have `say` called soon, unless something newer of this kind comes before."""
        with self._changed:
            self._waiting[kind] = say
            self._changed.notify()

    def start(self) -> None:
        """Start speaking."""
        self._thread = threading.Thread(target=self._run, name="poller-publisher", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 6.0) -> None:
        """Stop after what is being said; what waits stays unsaid."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                waiting, self._waiting = self._waiting, {}
            for kind, say in waiting.items():
                try:
                    say()
                except Exception:
                    log.exception("%s was not published", kind)
