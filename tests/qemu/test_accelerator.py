from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices.firmware.proof_guest import PROOF_LINE, build_proof_guest
from devices.host.architecture import normalise
from devices.qemu import accelerator, trial_boot
from devices.qemu.accelerator import proof_key, prove, qemu_version, why_not
from devices.qemu.errors import AcceleratorUnproven, GuestSpawnFailed
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.kvm_device import group_to_open, why_not_open
from devices.qemu.launch import Confinement, KernelFiles, Launch, StartedGuest
from devices.qemu.ring import Ring
from devices.qemu.spawn import spawn
from devices.qemu.spec import Accelerator
from devices.qemu.trial_boot import GuestDidNotBoot, seconds_to_say
from tests.fleet import CACHE


def test_what_need_not_be_tried_has_its_reason(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    none = why_not("kvm", "x64", "x64", system="Linux", kvm_device=device)
    assert none is not None
    assert "There is no" in none
    device.touch()
    assert why_not("kvm", "x64", "x64", system="Linux", kvm_device=device) is None
    differs = why_not("kvm", "arm64", "x64", system="Linux", kvm_device=device)
    assert differs is not None
    assert "architecture differs" in differs
    assert "macOS" in str(why_not("hvf", "arm64", "arm64", system="Linux"))
    assert "Linux" in str(why_not("kvm", "arm64", "arm64", system="Darwin"))
    assert why_not("hvf", "arm64", "arm64", system="Darwin") is None
    for system in ("Linux", "Darwin"):
        assert why_not("tcg", "arm64", "x64", system=system) is None


def test_the_device_is_opened_by_its_group_but_never_by_roots(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert group_to_open(device) is None
    device.touch(mode=0o600)
    barred = why_not_open(device)
    assert barred is not None
    assert "chmod 0660" in barred
    device.chmod(0o660)
    group = device.stat().st_gid
    assert group_to_open(device) == (group or None)
    device.chmod(0o666)
    assert group_to_open(device) is None
    assert why_not_open(device) is None


class Machine:
    """Stands for the boots a machine can do: accelerator and cpu model → seconds or an error."""

    def __init__(self, outcomes: dict[tuple[str, str | None], float | Exception]) -> None:
        self.outcomes = outcomes
        self.tried: list[tuple[str, str | None]] = []
        self.deadlines: list[float] = []

    def __call__(
        self, launch: Launch, accelerator: Accelerator, cpu_model: str | None,
        confinement: Confinement, *, expect: bytes, deadline_s: float,
    ) -> float:  # fmt: skip
        self.tried.append((accelerator, cpu_model))
        self.deadlines.append(deadline_s)
        outcome = self.outcomes[accelerator, cpu_model]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def kvm_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(why_not, "__kwdefaults__", {"system": None, "kvm_device": device})
    monkeypatch.setattr(platform, "system", lambda: "Linux")


HANGS = GuestDidNotBoot("The guest did not come up within 15 s and was ended; “Booting”.")
ABORTS = GuestSpawnFailed("qemu ended with signal SIGABRT: failed to set MSR 0x10a")


@pytest.mark.usefixtures("kvm_is_there")
def test_hardware_that_hangs_is_refused_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine({("kvm", "host"): ABORTS, ("kvm", "kvm64"): HANGS, ("tcg", None): 1.9})
    monkeypatch.setattr(accelerator, "seconds_to_say", machine)
    said: list[str] = []
    launch = Launch("p", "x64", "tcg", KernelFiles(tmp_path, tmp_path, ""), GuestFolder(tmp_path))
    proof = prove(
        launch, Confinement(), host_architecture="x64", expect=b"ok", deadline_s=15,
        tcg_deadline_s=99, progress=said.append,
    )  # fmt: skip
    assert machine.tried == [("kvm", "host"), ("kvm", "kvm64"), ("tcg", None)]
    assert machine.deadlines == [15, 15, 99]
    assert (proof.accelerator, proof.seconds, proof.cpu_model) == ("tcg", 1.9, None)
    assert "MSR 0x10a" in proof.refused["kvm"]
    assert "“Booting”" in proof.refused["kvm"]
    assert json.loads(json.dumps(proof.to_json()))["refused"]["hvf"].startswith("HVF")
    assert any("kvm64" in sentence and "refused" in sentence for sentence in said)


@pytest.mark.usefixtures("kvm_is_there")
def test_the_first_that_boots_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launch = Launch("p", "x64", "tcg", KernelFiles(tmp_path, tmp_path, ""), GuestFolder(tmp_path))
    machine = Machine({("kvm", "host"): 0.5})
    monkeypatch.setattr(accelerator, "seconds_to_say", machine)
    proof = prove(launch, Confinement(), host_architecture="x64", expect=b"ok")
    assert (proof.accelerator, proof.cpu_model, proof.refused) == ("kvm", None, {})
    machine.outcomes = {("kvm", "host"): ABORTS, ("kvm", "kvm64"): 0.7}
    proof = prove(launch, Confinement(), host_architecture="x64", expect=b"ok")
    assert (proof.accelerator, proof.cpu_model, proof.refused) == ("kvm", "kvm64", {})


@pytest.mark.usefixtures("kvm_is_there")
def test_a_machine_on_which_nothing_boots_says_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine({("kvm", "host"): ABORTS, ("kvm", "kvm64"): HANGS, ("tcg", None): HANGS})
    monkeypatch.setattr(accelerator, "seconds_to_say", machine)
    launch = Launch("p", "x64", "tcg", KernelFiles(tmp_path, tmp_path, ""), GuestFolder(tmp_path))
    with pytest.raises(AcceleratorUnproven, match="MSR 0x10a") as failure:
        prove(launch, Confinement(), host_architecture="x64", expect=b"ok")
    assert list(failure.value.refused) == ["kvm", "hvf", "tcg"]


@pytest.mark.guest
def test_a_guest_that_never_says_it_is_ended(
    launch_of: Callable[[str], Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launch_of("silent")
    started: list[StartedGuest] = []

    def remember(
        launch: Launch, confinement: Confinement, *, start_deadline_s: float
    ) -> StartedGuest:
        started.append(spawn(launch, confinement, start_deadline_s=start_deadline_s))
        return started[0]

    monkeypatch.setattr(trial_boot, "spawn", remember)
    with pytest.raises(GuestDidNotBoot, match=r"within 2 s and was ended; the last it printed"):
        seconds_to_say(
            launch, "tcg", None, Confinement(), expect=b"never said", deadline_s=2.0
        )
    assert not started[0].identity.is_alive()
    assert not launch.folder.path.exists()


@pytest.mark.guest
def test_a_real_boot_proves_software_emulation(launch_of: Callable[[str], Launch]) -> None:
    launch = replace(launch_of("proof"), accelerator="kvm", cpu_model="ignored")
    proof = prove(launch, Confinement(), host_architecture="x64", expect=b"=> ")
    assert proof.accelerator == "tcg"
    assert "architecture differs" in proof.refused["kvm"]
    assert 0 < proof.seconds < 60
    assert proof.qemu_version == qemu_version("arm64")
    assert proof.kernel_release == platform.release()


def test_a_proof_holds_for_this_boot_this_qemu_and_this_guest() -> None:
    key = proof_key("arm64", guest="sha256-of-a-firmware")
    assert key == proof_key("arm64", guest="sha256-of-a-firmware")
    assert key != proof_key("arm64", guest="another")
    assert key != proof_key("x64", guest="sha256-of-a-firmware")
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert {boot_id, platform.release(), qemu_version("arm64")} <= set(key.split("|"))


def test_the_last_words_are_printable() -> None:
    heard = Ring(100)
    heard.append(b"SeaBIOS\r\n\x1b[2JBooting from ROM..\r\n\x00\r\n")
    assert trial_boot._last_words(heard) == "the last it printed was “[2JBooting from ROM..”."
    assert trial_boot._last_words(Ring(1)) == "it printed nothing."


@pytest.mark.guest
def test_an_x64_guest_is_proven_on_this_machines_own_hardware(
    tmp_path: Path, confinement: Confinement
) -> None:
    """Whatever /dev/kvm does here, a guest boots, and what did not work has its reason.

    Hardware that needs longer than the deadline is refused like one that hangs.
    """
    guest = build_proof_guest(
        architecture="x64", cache=CACHE, output=tmp_path, progress=lambda sentence: None
    )
    tmp_path.chmod(0o755)
    launch = Launch(
        serial="proof", architecture="x64", accelerator="tcg", folder=GuestFolder(tmp_path / "g"),
        boot=KernelFiles(guest.kernel, guest.initramfs, "console=ttyS0 panic=-1"),
    )  # fmt: skip
    host = normalise(platform.machine())
    proof = prove(
        launch, confinement, host_architecture="x64" if host == "x64" else "arm64",
        expect=PROOF_LINE.encode(), deadline_s=3.0,
    )  # fmt: skip
    if proof.accelerator == "tcg":
        assert len(proof.refused["kvm"]) > 30
    assert not launch.folder.path.exists()
    if confinement.cgroup is not None:
        assert (confinement.cgroup / "cgroup.procs").read_text() == ""
