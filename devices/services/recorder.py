"""The clock of history: a thread that has the figures written, every five seconds."""

from __future__ import annotations

import logging
import threading
import time

from django.db import close_old_connections

from devices.services import history
from devices.services.figures import Sampler

log = logging.getLogger(__name__)

# a clock that is set back a little must not make the step before be written again
EARLY_S = 0.5


class Recorder:
    """Writes the figures of each step at its beginning; a step that could not be is a gap."""

    def __init__(self) -> None:
        self._sampler = Sampler()
        self._last_s: float | None = None
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being written."""
        self._stopping.set()
        self._thread.join(5.0)

    def record(self, at_s: float) -> None:
        """Write the figures as they are now, Unix time `at_s`; what fails is logged once."""
        close_old_connections()
        try:
            history.write(at_s, self._sampler.sample(at_s), last_s=self._last_s)
        except Exception:
            if not self._failing:
                log.exception("History could not be written; trying again every %d s",
                              history.FINEST.step_s)
            self._failing = True
        else:
            self._last_s = at_s
            self._failing = False
        finally:
            close_old_connections()

    def _run(self) -> None:
        step_s = history.FINEST.step_s
        while not self._stopping.wait(step_s - time.time() % step_s):
            self.record(time.time() + EARLY_S)
