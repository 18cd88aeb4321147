"""Which accelerator really runs guests here: it counts only once a guest has booted on it.

A device node proves nothing: /dev/kvm can be there, open and answer, and hang every guest.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from devices.qemu.errors import AcceleratorUnproven, GuestSpawnFailed, QemuMissing
from devices.qemu.kvm_device import KVM_DEVICE, why_not_open
from devices.qemu.launch import Confinement, Launch
from devices.qemu.process_identity import current_boot_id
from devices.qemu.spawn import find_program
from devices.qemu.spec import DEBIAN_PACKAGES, QEMU_PROGRAMS, Accelerator, Architecture
from devices.qemu.trial_boot import GuestDidNotBoot, seconds_to_say

ACCELERATORS: tuple[Accelerator, ...] = ("kvm", "hvf", "tcg")
DEADLINE_S = 15.0
TCG_DEADLINE_S = 120.0

# In a virtual machine `host` may ask for registers that its kernel cannot give; a plain one may do
_KVM_CPU_MODELS: dict[Architecture, tuple[str | None, ...]] = {
    "x64": ("host", "kvm64"),
    "arm64": ("host",),
}
_SYSTEMS: dict[Accelerator, tuple[str, str]] = {
    "kvm": ("Linux", "KVM is Linux's own"),
    "hvf": ("Darwin", "HVF is macOS's own"),
}


@dataclass(frozen=True)
class Proof:
    """The accelerator that booted a guest, in how many seconds, and why each better one did not.

    `cpu_model` is set where another than the accelerator's usual one was needed.
    """

    architecture: Architecture
    accelerator: Accelerator
    refused: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    qemu_version: str = ""
    kernel_release: str = ""
    cpu_model: str | None = None

    def to_json(self) -> dict[str, object]:
        """As plain values, to be remembered and shown."""
        return asdict(self)


def prove(
    launch: Launch,
    confinement: Confinement,
    *,
    host_architecture: Architecture,
    expect: bytes,
    deadline_s: float = DEADLINE_S,
    tcg_deadline_s: float = TCG_DEADLINE_S,
    system: str | None = None,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Proof:
    """Boot the guest on each accelerator, best first, until one prints `expect` on its console.

    The launch's own accelerator and cpu model do not matter; its folder is removed. Takes
    `deadline_s` at most for each try on hardware and `tcg_deadline_s` for software emulation.
    Raises AcceleratorUnproven with every reason, QemuMissing, or what is wrong with the launch.
    """
    architecture = launch.architecture
    refused: dict[str, str] = {}
    version = qemu_version(architecture)
    for accelerator in ACCELERATORS:
        reason = why_not(accelerator, architecture, host_architecture, system=system)
        if reason is not None:
            refused[accelerator] = reason
            continue
        trial = _Trial(launch, accelerator, confinement, expect, progress)
        seconds = trial.run(tcg_deadline_s if accelerator == "tcg" else deadline_s)
        if seconds is None:
            refused[accelerator] = " ".join(trial.reasons)
            continue
        return Proof(
            architecture, accelerator, refused, round(seconds, 2), version, platform.release(),
            trial.cpu_model,
        )  # fmt: skip
    raise AcceleratorUnproven(architecture, refused)


class _Trial:
    """The tries on one accelerator; `reasons` tells of each that did not boot."""

    def __init__(
        self,
        launch: Launch,
        accelerator: Accelerator,
        confinement: Confinement,
        expect: bytes,
        progress: Callable[[str], None],
    ) -> None:
        self._launch = launch
        self._accelerator = accelerator
        self._confinement = confinement
        self._expect = expect
        self._progress = progress
        self.reasons: list[str] = []
        self.cpu_model: str | None = None

    def run(self, deadline_s: float) -> float | None:
        """Seconds to the expected line; None when no try brought it."""
        confinement = self._confinement
        barred = None
        if self._accelerator == "kvm" and confinement.uid is not None:
            barred = why_not_open()
            if barred is not None:
                # what root would find is worth knowing before rights are changed
                confinement = replace(confinement, uid=None, gid=None)
        models: tuple[str | None, ...] = (None,)
        if self._accelerator == "kvm":
            models = _KVM_CPU_MODELS[self._launch.architecture]
        for model in models:
            name = f"{self._accelerator} (-cpu {model})" if model else self._accelerator
            self._progress(f"trying an {self._launch.architecture} guest on {name}")
            try:
                seconds = seconds_to_say(
                    self._launch, self._accelerator, model, confinement,
                    expect=self._expect, deadline_s=deadline_s,
                )  # fmt: skip
            except (GuestDidNotBoot, GuestSpawnFailed) as error:
                self._refuse(name, f"With -cpu {model}: {error}" if model else str(error))
                continue
            if barred is not None:
                self._refuse(name, f"A guest boots on it, but {barred}.")
                return None
            self.cpu_model = None if model == "host" else model
            return seconds
        return None

    def _refuse(self, name: str, reason: str) -> None:
        self.reasons.append(reason)
        self._progress(f"{name} is refused: {reason}")


def why_not(
    accelerator: Accelerator,
    architecture: Architecture,
    host_architecture: Architecture,
    *,
    system: str | None = None,
    kvm_device: Path = KVM_DEVICE,
) -> str | None:
    """Why this accelerator need not even be tried; None when it has to prove itself."""
    if accelerator == "tcg":
        return None
    needed, whose = _SYSTEMS[accelerator]
    system = system or platform.system()
    if system != needed:
        return f"{whose}; this machine runs {system}."
    if architecture != host_architecture:
        return (
            f"The architecture differs: an {architecture} guest cannot run on the processor of an "
            f"{host_architecture} machine."
        )
    if accelerator == "kvm" and not kvm_device.exists():
        return f"There is no {kvm_device}: this machine offers no hardware virtualisation."
    return None


def qemu_version(architecture: Architecture) -> str:
    """The version of the installed qemu, such as `7.2.22`; raises QemuMissing."""
    name = QEMU_PROGRAMS[architecture]
    program = find_program(name, DEBIAN_PACKAGES[architecture])
    version = _version(program, os.stat(program).st_mtime_ns)
    if version is None:
        raise QemuMissing(name, DEBIAN_PACKAGES[architecture])
    return version


@lru_cache(maxsize=8)
def _version(program: str, changed_ns: int) -> str | None:
    """What a program says it is; asked once for each `changed_ns`, for it takes 20 ms."""
    done = subprocess.run(
        [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        check=False,
    )  # fmt: skip
    found = re.search(rb"version (\d[\d.]*)", done.stdout)
    return None if done.returncode or found is None else found[1].decode()


def proof_key(architecture: Architecture, *, guest: str = "") -> str:
    """What a remembered proof holds for: it is made again when any of this has changed.

    `guest` names the guest that was booted, a firmware's SHA-256 for example.
    """
    return "|".join(
        (
            architecture,
            platform.system(),
            platform.release(),
            current_boot_id(),
            qemu_version(architecture),
            "kvm" if os.access(KVM_DEVICE, os.F_OK) else "no kvm",
            guest,
        )
    )

