"""How busy each core is, from /proc/stat.

psutil reads the same file but gives cores by position, so a core taken offline moves its
neighbours' figures, and it does not give the run queue; hence our own reading (7 µs a sample of
two cores, psutil 16 µs).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_READ_BYTES = 1 << 16


@dataclass(frozen=True)
class CoreTimes:
    """Clock ticks a core has spent since boot, as in proc_stat(5); guest time is in `user`."""

    user: int
    system: int
    idle: int
    iowait: int
    steal: int


@dataclass(frozen=True)
class Stat:
    """/proc/stat at one moment: online cores by number, and the tasks running or ready to."""

    cores: dict[int, CoreTimes]
    running: int


@dataclass(frozen=True)
class CoreSample:
    """How cores spent the time since the last sample.

    `busy` has one byte a core, 0–255 of the whole, by core number; an offline core is 0. The
    fractions, 0–1, are means over the cores online. Busy is all that is neither idle nor waiting
    for disk; time stolen by a hypervisor is busy: nothing else could run. `running` counts tasks
    running or ready to at this moment, the reader left out.
    """

    busy: bytes
    online: int
    total: float
    user: float
    system: float
    iowait: float
    steal: float
    running: int


def parse(stat: bytes) -> Stat:
    """Core times and run queue from the text of /proc/stat."""
    cores: dict[int, CoreTimes] = {}
    running = 0
    for line in stat.split(b"\n"):
        if line.startswith(b"cpu"):
            name, *columns = line.split()
            if name != b"cpu":
                user, nice, system, idle, iowait, irq, softirq, steal = map(int, columns[:8])
                cores[int(name[3:])] = CoreTimes(
                    user=user + nice,
                    system=system + irq + softirq,
                    idle=idle,
                    iowait=iowait,
                    steal=steal,
                )
        elif line.startswith(b"procs_running"):
            running = int(line.split()[1])
            break
    return Stat(cores, running)


def between(before: Stat, after: Stat, width: int) -> CoreSample:
    """What happened between two moments, for cores 0 to `width` − 1.

    A counter that went backwards (iowait may, and a core that was offline starts anew) counts as
    unmoved.
    """
    busy = bytearray(width)
    user = system = idle = iowait = steal = 0
    for number, now in after.cores.items():
        then = before.cores.get(number)
        if then is None:
            continue
        core_user = max(0, now.user - then.user)
        core_system = max(0, now.system - then.system)
        core_steal = max(0, now.steal - then.steal)
        core_idle = max(0, now.idle - then.idle)
        core_iowait = max(0, now.iowait - then.iowait)
        worked = core_user + core_system + core_steal
        whole = worked + core_idle + core_iowait
        if whole:
            busy[number] = (worked * 255 + whole // 2) // whole
        user += core_user
        system += core_system
        idle += core_idle
        iowait += core_iowait
        steal += core_steal
    whole = (user + system + idle + iowait + steal) or 1
    return CoreSample(
        busy=bytes(busy),
        online=len(after.cores),
        total=(user + system + steal) / whole,
        user=user / whole,
        system=system / whole,
        iowait=iowait / whole,
        steal=steal / whole,
        running=max(0, after.running - 1),
    )


class CoreSampler:
    """Samples the cores; the first sample covers the time since this was made.

    Keeps /proc/stat open. The number of bytes never shrinks, so a core that goes offline stays in
    its place.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._file = os.open(root / "proc/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._read_bytes = _READ_BYTES
        self._last = self._read()
        self._width = max(self._last.cores, default=-1) + 1

    def _read(self) -> Stat:
        stat = os.pread(self._file, self._read_bytes, 0)
        while len(stat) == self._read_bytes:
            self._read_bytes *= 2
            stat = os.pread(self._file, self._read_bytes, 0)
        return parse(stat)

    def sample(self) -> CoreSample:
        """How busy the cores were since the last sample."""
        now = self._read()
        self._width = max(self._width, max(now.cores, default=-1) + 1)
        sample = between(self._last, now, self._width)
        self._last = now
        return sample

    def close(self) -> None:
        """Let go of the open file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> CoreSampler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
