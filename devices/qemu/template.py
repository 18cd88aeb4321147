"""A guest that was booted once and frozen, for clones to wake from.

Its memory is a memfd sealed against every change, which all clones map privately; what lies in the
template's folder refills it after a restart. The folder is its maker's only: memory holds whatever
the guest had in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.qemu.accelerator import qemu_version
from devices.qemu.errors import BadTemplate, GuestSpawnFailed, QmpFailed
from devices.qemu.launch import Confinement, Launch
from devices.qemu.migration_stream import without_empty_pages
from devices.qemu.monitor import Monitor
from devices.qemu.overlay import is_untouched
from devices.qemu.spawn import spawn
from devices.qemu.spec import TemplateStart
from devices.qemu.trial_boot import GuestDidNotBoot, wait_for_line

if TYPE_CHECKING:
    from devices.qemu.zygote import Zygote

READY = b"fleetdash: template ready"
BOOT_DEADLINE_S = 120.0
FREEZE_DEADLINE_S = 60.0
# Raised whenever templates made by an earlier version must not be used
FORMAT = 1

_MEMORY = "memory"
_STATE = "state"
_MANIFEST = "manifest.json"
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_CHUNK_BYTES = 1 << 20
_SETTLE_S = 0.1
_SEAL_DEADLINE_S = 10.0


@dataclass(eq=False)
class Template:
    """A template ready for use; `memory_fd` is its sealed memory, open until `close`.

    `zygote` is a process its clones are forked from, as soon as there is one; `failures` is how
    many of its clones lately did not wake while none did.
    """

    key: str
    folder: Path
    memory_fd: int
    memory_bytes: int
    state: Path
    zygote: Zygote | None = None
    failures: int = 0

    @property
    def living_zygote(self) -> Zygote | None:
        """The zygote, if it can fork now; its end may not have been noticed by its keeper yet."""
        zygote = self.zygote
        return zygote if zygote is not None and zygote.is_alive() else None

    def close(self) -> None:
        """Let go of the memory and end the zygote; running clones stay."""
        if self.zygote is not None:
            self.zygote.close()
        os.close(self.memory_fd)


def template_key(launch: Launch, depends_on: Mapping[str, object]) -> str:
    """A name for everything a template depends on: another key is another template.

    `depends_on` is what only the caller knows, such as the firmware's SHA-256.
    """
    facts = {
        "format": FORMAT,
        "architecture": launch.architecture,
        "accelerator": launch.accelerator,
        "cpu_model": launch.cpu_model,
        "memory_mib": launch.shape.memory_mib,
        "cpus": launch.shape.cpus,
        "qemu": qemu_version(launch.architecture),
        "host": os.uname().release if launch.accelerator != "tcg" else "",
        **depends_on,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def make(
    launch: Launch,
    confinement: Confinement,
    folder: Path,
    *,
    key: str,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Template:
    """Boot the guest, freeze it and keep it in `folder`, in place of what is there.

    The launch's identity must say `template`; its start does not matter. Raises BadTemplate with
    what went wrong, and all that `spawn` raises; then nothing is left.
    """
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    memory_fd = os.memfd_create("template", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory_fd, launch.shape.memory_mib << 20)
        os.fchmod(memory_fd, 0o600)
        if confinement.uid is not None and confinement.gid is not None:
            os.fchown(memory_fd, confinement.uid, confinement.gid)
        launch = replace(launch, start=TemplateStart(memory_fd))
        progress("booting the template")
        _boot_and_freeze(launch, confinement, unfinished / _STATE, progress)
        _seal(memory_fd)
        progress("keeping the template")
        _keep(memory_fd, unfinished, key)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except BaseException as error:
        os.close(memory_fd)
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, GuestDidNotBoot | QmpFailed | OSError):
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BadTemplate(
                    f"No template could be made: there is no room left in {folder.parent}, where "
                    f"up to {launch.shape.memory_mib} MiB are kept of it. Free some."
                ) from error
            raise BadTemplate(f"No template could be made: {error}") from error
        raise
    return Template(key, folder, memory_fd, launch.shape.memory_mib << 20, folder / _STATE)


def load(folder: Path, *, key: str) -> Template:
    """The template kept in a folder; raises BadTemplate when it is missing, damaged or another."""
    manifest = _manifest(folder)
    if manifest.get("format") != FORMAT or manifest.get("key") != key:
        raise BadTemplate(
            f"The template in {folder} was made for another firmware, qemu or shape: "
            "it is made again."
        )
    for name in (_MEMORY, _STATE):
        _check(folder / name, manifest.get(name))
    memory_bytes = int(manifest[_MEMORY]["size"])
    memory_fd = os.memfd_create("template", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory_fd, memory_bytes)
        with (folder / _MEMORY).open("rb", buffering=0) as kept:
            digest = _copy(kept.fileno(), memory_fd)
        if digest != manifest[_MEMORY]["sha256"]:
            raise BadTemplate(f"The template in {folder} is damaged: it is made again.")
        _seal(memory_fd)
    except BaseException:
        os.close(memory_fd)
        raise
    return Template(key, folder, memory_fd, memory_bytes, folder / _STATE)


def _boot_and_freeze(
    launch: Launch, confinement: Confinement, state: Path, progress: Callable[[str], None]
) -> None:
    guest = spawn(launch, confinement)
    try:
        began = time.monotonic()
        wait_for_line(launch, READY, began + BOOT_DEADLINE_S, BOOT_DEADLINE_S)
        time.sleep(_SETTLE_S)
        progress("freezing the template")
        with _created(state) as descriptor, Monitor(launch.folder.qmp_socket) as monitor:
            _freeze(monitor, descriptor)
            if not is_untouched(launch.folder.overlay):
                raise BadTemplate(
                    "The template wrote to its disk before it was frozen, so its clones could not "
                    "start from the firmware's: they start cold."
                )
            monitor.quit()
    finally:
        guest.identity.end(deadline_s=10.0)
        launch.folder.remove()


def _freeze(monitor: Monitor, state_fd: int) -> None:
    """Write the state; qemu stops the guest itself, so that a clone wakes running, not paused."""
    monitor.ask("qmp_capabilities", timeout_s=FREEZE_DEADLINE_S)
    monitor.ask(
        "migrate-set-capabilities",
        timeout_s=FREEZE_DEADLINE_S,
        capabilities=[{"capability": "x-ignore-shared", "state": True}],
    )
    monitor.ask("getfd", timeout_s=FREEZE_DEADLINE_S, descriptor=state_fd, fdname="state")
    monitor.ask("migrate", timeout_s=FREEZE_DEADLINE_S, uri="fd:state")
    until = time.monotonic() + FREEZE_DEADLINE_S
    while (status := monitor.ask("query-migrate", timeout_s=FREEZE_DEADLINE_S)["status"]) != (
        "completed"
    ):
        if status == "failed" or time.monotonic() > until:
            raise BadTemplate(f"qemu could not write the template's state: {status}.")
        time.sleep(0.02)


@contextlib.contextmanager
def _created(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _keep(memory_fd: int, folder: Path, key: str) -> None:
    with _created(folder / _MEMORY) as kept:
        digest = _copy(memory_fd, kept)
    state = (folder / _STATE).read_bytes()
    if not state:
        raise GuestSpawnFailed("qemu wrote no state for the template.")
    state = without_empty_pages(state)
    (folder / _STATE).write_bytes(state)
    manifest = {
        "format": FORMAT,
        "key": key,
        _MEMORY: {"size": (folder / _MEMORY).stat().st_size, "sha256": digest},
        _STATE: {"size": len(state), "sha256": hashlib.sha256(state).hexdigest()},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _seal(memory_fd: int) -> None:
    """Forbid every change for ever; the kernel may still be taking the guest's mapping down.

    qemu opens it for reading and writing as the guests' user, whatever it then does.
    """
    os.fchmod(memory_fd, 0o666)
    until = time.monotonic() + _SEAL_DEADLINE_S
    while True:
        try:
            fcntl.fcntl(memory_fd, fcntl.F_ADD_SEALS, _SEALS)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                raise
            time.sleep(0.05)


def _copy(source: int, target: int) -> str:
    """Copy a file, zeroes as holes; gives the SHA-256 of its content."""
    digest = hashlib.sha256()
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    for offset in range(0, size, _CHUNK_BYTES):
        chunk = os.pread(source, _CHUNK_BYTES, offset)
        digest.update(chunk)
        for start in range(0, len(chunk), 4096):
            page = chunk[start : start + 4096]
            if page.count(0) != len(page):
                os.pwrite(target, page, offset + start)
    return digest.hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BadTemplate(f"There is no usable template in {folder} ({error}).") from error
    if not isinstance(manifest, dict):
        raise BadTemplate(f"The template in {folder} has no proper manifest: it is made again.")
    return manifest


def _check(path: Path, entry: object) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadTemplate(f"{path} is missing ({error.strerror}): it is made again.") from error
    if not isinstance(entry, dict) or entry.get("size") != size:
        raise BadTemplate(f"{path} is truncated or too long: the template is made again.")
    if path.name == _STATE:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry.get("sha256"):
            raise BadTemplate(f"{path} is damaged: the template is made again.")
