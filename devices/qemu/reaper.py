"""Takes the exit status of guests this process started, so that none stays a zombie."""

from __future__ import annotations

import contextlib
import os
import select
import threading


class Reaper:
    """One thread that sleeps until a child ends; others' children are never touched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoll: select.epoll | None = None

    def adopt(self, pidfd: int) -> None:
        """Wait for this child from now on; the pidfd is the reaper's to close."""
        with self._lock:
            if self._epoll is None:
                self._epoll = select.epoll()
                threading.Thread(
                    target=self._run, args=(self._epoll,), name="guest-reaper", daemon=True
                ).start()
            self._epoll.register(pidfd, select.EPOLLIN)

    @staticmethod
    def _run(epoll: select.epoll) -> None:
        while True:
            for pidfd, _ in epoll.poll():
                epoll.unregister(pidfd)
                # a child that somebody else waited for has been reaped all the same
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
                os.close(pidfd)


GUESTS = Reaper()
