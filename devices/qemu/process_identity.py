"""Processes told apart for certain: boot, number and start time, signalled through a pidfd."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devices.qemu.errors import ProcessGone

# Half of the open-files limit that a process commonly has
_AT_ONCE = 512
_STAT_BYTES = 2048


@cache
def current_boot_id() -> str:
    """The kernel's random name for this boot (Documentation/admin-guide/sysctl/kernel.rst)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, order=True)
class ProcessIdentity:
    """A process for certain; `start_time` is in clock ticks since boot, field 22 of proc(5) stat.

    A number alone is given again, within minutes where thousands of guests come and go.
    """

    boot_id: str
    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """The process that has this number now; raises ProcessGone, for a zombie too."""
        start_time = _start_time(pid)
        if start_time is None:
            raise ProcessGone(f"There is no process {pid}.")
        return cls(current_boot_id(), pid, start_time)

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.boot_id == current_boot_id() and _start_time(self.pid) == self.start_time

    def open_pidfd(self) -> int:
        """A pidfd (pidfd_open(2)) the caller closes; raises ProcessGone.

        The start time is looked at again once it is open: the number could have changed hands.
        """
        if self.pid > 0 and self.boot_id == current_boot_id():
            try:
                pidfd = os.pidfd_open(self.pid)
            except ProcessLookupError:
                raise self._gone() from None
            if _start_time(self.pid) == self.start_time:
                return pidfd
            os.close(pidfd)
        raise self._gone()

    def signal(self, number: int) -> None:
        """Send a signal to this process and no other; raises ProcessGone."""
        pidfd = self.open_pidfd()
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            raise self._gone() from None
        finally:
            os.close(pidfd)

    def end(self, deadline_s: float, *, grace_s: float | None = None) -> bool:
        """End it as `end_all` does; whether it has ended."""
        return not end_all([self], deadline_s=deadline_s, grace_s=grace_s)

    def _gone(self) -> ProcessGone:
        return ProcessGone(f"Process {self.pid}, started at tick {self.start_time}, has ended.")


def end_all(
    identities: Iterable[ProcessIdentity], *, deadline_s: float, grace_s: float | None = None
) -> list[ProcessIdentity]:
    """End processes at once: SIGTERM, after `grace_s` (half the deadline, 5 s at most) SIGKILL.

    With a grace of 0 SIGKILL is all that is sent.
    Returns those that had not ended after `deadline_s` seconds. One that is gone already has ended.
    """
    waiting = list(dict.fromkeys(identities))
    grace_s = min(deadline_s / 2, 5.0) if grace_s is None else grace_s
    began = time.monotonic()
    surviving: list[ProcessIdentity] = []
    for first in range(0, len(waiting), _AT_ONCE):
        surviving += _end_some(
            waiting[first : first + _AT_ONCE],
            began + grace_s if grace_s > 0 else None,
            began + deadline_s,
        )
    return surviving


def _end_some(
    identities: Sequence[ProcessIdentity], kill_at: float | None, give_up_at: float
) -> list[ProcessIdentity]:
    running: dict[int, ProcessIdentity] = {}
    poll = select.poll()
    try:
        for identity in identities:
            try:
                pidfd = identity.open_pidfd()
            except ProcessGone:
                continue
            running[pidfd] = identity
            poll.register(pidfd, select.POLLIN)
        if kill_at is not None:
            _send_all(running, signal.SIGTERM)
            _wait(poll, running, kill_at)
        if running:
            _send_all(running, signal.SIGKILL)
            _wait(poll, running, max(give_up_at, time.monotonic() + 0.1))
        return list(running.values())
    finally:
        for pidfd in running:
            os.close(pidfd)


def _send_all(running: dict[int, ProcessIdentity], number: int) -> None:
    for pidfd in running:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            continue  # it has just ended, which the poll will tell


def _wait(poll: select.poll, running: dict[int, ProcessIdentity], until: float) -> None:
    """Take those that end out of `running`, until none is left or the time has come."""
    while running:
        left_ms = max(0, round(1000 * (until - time.monotonic())))
        for pidfd, _ in poll.poll(left_ms):
            poll.unregister(pidfd)
            os.close(pidfd)
            del running[pidfd]
        if left_ms == 0:
            return


def _start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None for no process or a dead one."""
    try:
        # a thousand guests are looked at in one round: pathlib would take three times as long
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        stat = os.read(file, _STAT_BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(file)
    # the name, field 2, may hold spaces and brackets: count from its last bracket
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
