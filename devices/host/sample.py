"""How the host is doing, once a second, as one value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devices.host import cgroup, ksm, limits, load, memory, psi, zram
from devices.host.cpu import CoreSample
from devices.host.ksm import KsmSample
from devices.host.limits import Limits
from devices.host.load import LoadSample
from devices.host.memory import MemorySample
from devices.host.psi import PsiSample
from devices.host.zram import ZramSample


@dataclass(frozen=True)
class CpuSummary:
    """Fractions 0–1 of all online cores over the last second, and how many are online.

    `run_queue` is the mean number of tasks running or ready to.
    """

    busy: float
    user: float
    system: float
    iowait: float
    steal: float
    online: int
    run_queue: float


@dataclass(frozen=True)
class HostSample:
    """The host at Unix time `at`; what the machine does not have is None, never zero."""

    at: float
    uptime_s: float
    cpu: CpuSummary | None
    load: LoadSample
    memory: MemorySample
    ksm: KsmSample | None
    zram: tuple[ZramSample, ...] | None
    psi: PsiSample | None
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        """The sample in JSON's types, named as the fields are."""
        return asdict(self)


def summarise(cores: list[CoreSample]) -> CpuSummary | None:
    """The mean of some samples of the cores; None of none."""
    if not cores:
        return None
    count = len(cores)
    return CpuSummary(
        busy=round(sum(each.total for each in cores) / count, 4),
        user=round(sum(each.user for each in cores) / count, 4),
        system=round(sum(each.system for each in cores) / count, 4),
        iowait=round(sum(each.iowait for each in cores) / count, 4),
        steal=round(sum(each.steal for each in cores) / count, 4),
        online=cores[-1].online,
        run_queue=round(sum(each.running for each in cores) / count, 2),
    )


class HostSampler:
    """Reads everything there is to read once a second; the cores' samples are given to it."""

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._clock = clock
        self._limit = cgroup.memory_limit(root)
        self._groups = cgroup.task_groups(root)

    def sample(self, cores: list[CoreSample]) -> HostSample:
        """The host now; `cores` are the samples since the last one."""
        now = load.read(self._root)
        uptime = (self._root / "proc/uptime").read_text()
        return HostSample(
            at=self._clock(),
            uptime_s=float(uptime.split()[0]),
            cpu=summarise(cores),
            load=now,
            memory=memory.read(self._root, self._limit),
            ksm=ksm.read(self._root),
            zram=zram.read(self._root),
            psi=psi.read(self._root),
            limits=limits.read(now.tasks, self._groups, self._root),
        )
