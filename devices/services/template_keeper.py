"""One architecture's template on this host: made once, loaded again, made anew when it went bad."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from devices.errors import FleetError
from devices.firmware.errors import FirmwareError
from devices.host.guest_memory import GuestMemory
from devices.qemu.errors import BadTemplate, DidNotWake, QemuError
from devices.qemu.guest_folder import NO_DEVICE_KINDS, TRIAL, ZYGOTE, GuestFolder, no_device
from devices.qemu.launch import Launch, StartedGuest
from devices.qemu.template import Template, load, make
from devices.qemu.zygote import Zygote, ZygoteFailed
from devices.services import (
    architectures,
    bus,
    confined,
    costs,
    guests,
    starting,
    template_room,
    template_trial,
    zygotes,
)

log = logging.getLogger(__name__)

RETRY_S = 300.0
# devices of an architecture that were removed are often added again soon
KEEP_UNUSED_S = 300.0
# so many clones that did not wake, and none between that did, have a bad template
BAD_AFTER = 2

# one template at a time is made or rehearsed: either keeps a core busy
_making = threading.Lock()


@dataclass(frozen=True)
class Status:
    """How the template is: `making`, `ready` or `failed`, and a sentence about it."""

    state: str
    sentence: str
    at: float


class Keeper:
    """Holds the template's memory open for its clones; `said` is its last word."""

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture
        self.said: Status | None = None
        self.ready: Template | None = None
        self.ready_at = datetime.max.replace(tzinfo=UTC)
        self.failed_at = float("-inf")
        self.zygote_failed_at = float("-inf")
        self.unused_since: float | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def folder(self) -> Path:
        """Where this architecture's templates lie, root's only."""
        return Path(settings.VAR_DIR) / "templates" / self.architecture

    def say(self, host_name: str, state: str, sentence: str) -> None:
        """Keep a word about the template for the page."""
        if self.said is not None and (self.said.state, self.said.sentence) == (state, sentence):
            return  # a reason that lasts is found again every few seconds
        log.info("%s template: %s", self.architecture, sentence)
        self.said = Status(state, sentence, time.time())
        self.say_again(host_name)

    def say_again(self, host_name: str) -> None:
        """Keep the last word once more: Redis may have been emptied."""
        if self.said is not None:
            bus.keep_template_status(host_name, asdict(self.said), self.architecture)

    def current(self, host_name: str, launch: Launch, key: str) -> Template | None:
        """The template of that key to clone from now; None while it is made or cannot be."""
        with self._lock:
            ready = self.ready if self.ready is not None and self.ready.key == key else None
            wanted = self.provide if ready is None else self._rehearse
            failed_at = self.failed_at if ready is None else self.zygote_failed_at
            enough = ready is not None and ready.living_zygote is not None
            self.unused_since = None
            if not enough and self._is_idle() and time.monotonic() - failed_at >= RETRY_S:
                self._begin(wanted, host_name, launch, key)
        return ready

    def _is_idle(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        self._thread = threading.Thread(
            target=target, args=arguments, name="template", daemon=True
        )
        self._thread.start()

    def release(self, *, in_use: bool) -> None:
        """Let go of a template nobody asks for, unless devices of its sort are `in_use` here.

        After a while, or at once when memory is short; its files stay, to be loaded again in a
        moment. What a killed worker left of making one is ended in any case.
        """
        with self._lock:
            if not self._is_idle():
                return
            if self.ready is not None or self.said is not None:
                if in_use:
                    self.unused_since = None
                    return
                now = time.monotonic()
                self.unused_since = now if self.unused_since is None else self.unused_since
                if now - self.unused_since < KEEP_UNUSED_S and not template_room.is_short():
                    return
            elif not any(self._guest_folder(kind).is_dir() for kind in NO_DEVICE_KINDS):
                return
            unused, self.ready, self.said = self.ready, None, None
            self._begin(self._let_go, unused)

    def _let_go(self, unused: Template | None) -> None:
        if unused is not None:
            log.info("%s template: nobody uses it, and it is let go", self.architecture)
            _end_zygote(unused)
        self._clear_unfinished()

    def discard(self, host_name: str, reason: str) -> None:
        """A template that went bad is made again; clones that run keep what they have."""
        with self._lock:
            bad, self.ready = self.ready, None
            if bad is not None:  # before anyone can load it again
                shutil.rmtree(bad.folder, ignore_errors=True)
        if bad is not None:
            _end_zygote(bad)
            self.say(
                host_name, "failed",
                f"{reason} It is made again; devices start cold meanwhile.",
            )

    def clones_became(
        self, host_name: str, template: Template, outcomes: Sequence[starting.Outcome]
    ) -> None:
        """Take in what became of a round of clones, and discard a template that is bad.

        One clone may have been unlucky, and what the host lacks is not the template's fault.
        """
        failures = [o for o in outcomes if isinstance(o, DidNotWake)]
        if any(isinstance(o, StartedGuest) for o in outcomes):
            template.failures = 0
            return
        template.failures += len(failures)
        if failures and template.failures >= BAD_AFTER and self.ready is template:
            self.discard(
                host_name, f"{template.failures} clones in a row did not wake: {failures[-1]}"
            )

    def provide(self, host_name: str, launch: Launch, key: str) -> None:
        """Load the template or make it, and have its clones forked."""
        began = time.monotonic()
        folder = self.folder / key
        # until then "ready" may be the word of a worker that has ended
        self.say(host_name, "making", "Loading the template.")
        try:
            with _making:
                self._clear_unfinished()
                template_room.check(RETRY_S)
                template = _loaded(folder, key) or self._made(host_name, launch, folder, key)
        except Exception as error:
            if not isinstance(error, QemuError | FirmwareError | FleetError | OSError):
                log.exception("the template could not be made")
            self.failed_at = time.monotonic()
            self.say(host_name, "failed", f"Devices start cold: {error}")
            return
        # the last of its users lets go of it: a round may still wake clones of a former one
        weakref.finalize(template, os.close, template.memory_fd)
        with self._lock:
            former, self.ready, self.ready_at = self.ready, template, timezone.now()
        if former is not None:
            _end_zygote(former)
        for other in self.folder.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        took_s = time.monotonic() - began
        self.say(
            host_name, "ready", f"Clones wake from a template that was ready in {took_s:.1f} s."
        )
        self._rehearse(host_name, launch, key)

    def _guest_folder(self, kind: str) -> Path:
        return guests.folder(no_device(kind, self.architecture))

    def _clear_unfinished(self) -> None:
        """End the guests a killed worker left of making a template; remove what it had written."""
        for kind in NO_DEVICE_KINDS:
            folder = GuestFolder(self._guest_folder(kind))
            process = folder.read_process()
            if process is None or process.end(deadline_s=10.0):
                folder.remove()
        found = self.folder.parent.glob("*")
        elsewhere = [each for each in found if each.name not in architectures.ALL]
        for unfinished in (*self.folder.glob(".*"), *elsewhere):
            shutil.rmtree(unfinished, ignore_errors=True)

    def _rehearse(self, host_name: str, launch: Launch, key: str) -> None:
        """Have the clones forked from now on."""
        with _making:
            self._start_zygote(host_name, launch, key)

    def _start_zygote(self, host_name: str, launch: Launch, key: str) -> None:
        template = self.ready
        if template is None or template.key != key:
            return
        began = time.monotonic()
        _end_zygote(template)
        try:
            zygote: Zygote | None = zygotes.start(
                launch, template, confined.confinement(), self._guest_folder(ZYGOTE),
                starting.HOST_SEEN_BY_GUESTS,
            )  # fmt: skip
            with self._lock:  # who discards it ends the zygote it has then
                if self.ready is template:
                    template.zygote, zygote = zygote, None
            if zygote is not None:
                zygote.close()
                return
            first_clone = template_trial.first_clone(
                launch, template, self._guest_folder(TRIAL)
            )
        except Exception as error:
            if not isinstance(error, QemuError | OSError):
                log.exception("clones could not be rehearsed")
            self.zygote_failed_at = time.monotonic()
            _end_zygote(template)
            if self.ready is template:
                self._know_cost(host_name, key, "woken")
                why = error if isinstance(error, ZygoteFailed) else f"They are not forked: {error}"
                self.say(host_name, "ready", f"Clones wake from a template. {why}")
            return
        if self.ready is not template:
            return
        self._know_cost(host_name, key, "forked", first_clone)
        took_s = time.monotonic() - began
        self.say(
            host_name, "ready", f"Clones are forked from a template, rehearsed in {took_s:.0f} s."
        )

    def _made(self, host_name: str, launch: Launch, folder: Path, key: str) -> Template:
        template = make(
            launch, confined.confinement(), folder, key=key,
            progress=lambda step: self.say(host_name, "making", f"{step[:1].upper()}{step[1:]}."),
        )
        self.say(host_name, "making", "Checking the template by a clone.")
        try:
            first_clone = template_trial.first_clone(
                launch, template, self._guest_folder(TRIAL)
            )
            self._know_cost(host_name, key, "woken", first_clone, settled=False)
        except BaseException:
            template.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return template

    def _know_cost(
        self, host_name: str, key: str, way: costs.Way, first_clone: GuestMemory | None = None,
        *, settled: bool = True,
    ) -> None:
        template_trial.know_cost(
            host_name, self.architecture, key, way, first_clone, settled=settled
        )


def _loaded(folder: Path, key: str) -> Template | None:
    if not folder.is_dir():
        return None
    try:
        return load(folder, key=key)
    except BadTemplate as error:
        log.warning("%s", error)
        return None


def _end_zygote(template: Template) -> None:
    zygote, template.zygote = template.zygote, None
    if zygote is not None:
        zygote.close()
