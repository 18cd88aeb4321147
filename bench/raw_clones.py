"""The raw limit of warm starts: the fleet's own template cloned in a bare loop.

The same clones, confined alike, in a namespace and a control group of their own; each is counted
when its POST reaches a bare server. `bin/bench launch` runs this in a process of its own, for what
is set for guests here would stick to it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import fleet, processes
from bench.clone_loop import BareServer, identity
from bench.errors import BenchError
from devices.firmware import artifact
from devices.qemu.clone import clone_many
from devices.qemu.confinement import ensure_confinement, remove_cgroup
from devices.qemu.errors import BadTemplate, ProcessGone
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.launch import BootloaderFiles, Confinement, Launch, StartedGuest
from devices.qemu.namespace import listen_in_namespace, remove_namespace
from devices.qemu.process_identity import ProcessIdentity, end_all
from devices.qemu.process_memory import set_for_guests
from devices.qemu.template import Template, load
from devices.qemu.zygote import ZygoteFailed

PORT = 4000
STALL_S = 60.0


@dataclass
class RawClones:
    """What a loop found: seconds after its beginning by serial, CPU seconds of each at its report.

    `own_cpu_s` is what the loop itself used, `problem` why it ended early.
    """

    width: int
    forked: bool = False
    reported_s: dict[str, float] = field(default_factory=dict)
    started_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    own_cpu_s: float = 0.0
    problem: str = ""


@dataclass
class Loop:
    """Starts `count` clones, never more than `width` that have not reported."""

    launch: Callable[[int], Launch]
    template: Template
    confinement: Confinement
    server: BareServer
    result: RawClones
    guests: dict[str, StartedGuest] = field(default_factory=dict)

    def run(self, count: int) -> None:
        """Return when all have reported, or nothing happened for a minute."""
        began, cpu_before = time.monotonic(), time.process_time()
        moved_at = began
        reported = 0
        while reported < count:
            room = min(self.result.width - (len(self.guests) - reported), count - len(self.guests))
            if room > 0:
                self._start(room, began)
            self.server.arrived.wait(0.5)
            self.server.arrived.clear()
            now_reported = len(self.server.at)
            if now_reported > reported:
                reported, moved_at = now_reported, time.monotonic()
                self._note(began)
            elif time.monotonic() - moved_at > STALL_S:
                self.result.problem = f"{reported} of {count} clones reported; then none for 60 s"
                break
        self.result.own_cpu_s = time.process_time() - cpu_before

    def _start(self, room: int, began: float) -> None:
        first = len(self.guests) + 1
        launches = [self.launch(number) for number in range(first, first + room)]
        for each in launches:
            self.result.started_s[each.serial] = time.monotonic() - began
        outcomes = clone_many(launches, self.template, self.confinement)
        # all that runs first, so that nothing is left when one did not wake
        self.guests.update((s, o) for s, o in outcomes.items() if isinstance(o, StartedGuest))
        for serial, outcome in outcomes.items():
            if not isinstance(outcome, StartedGuest):
                raise BenchError(f"{serial} did not wake: {outcome}")

    def _note(self, began: float) -> None:
        for serial in set(self.server.at) - set(self.result.reported_s):
            self.result.reported_s[serial] = self.server.at[serial] - began
            if serial in self.guests:
                with contextlib.suppress(OSError):
                    self.result.cpu_s[serial] = processes.cpu_s(self.guests[serial].identity.pid)


@contextlib.contextmanager
def fleets_template(
    var: Path, launch: Launch, confinement: Confinement, folder: Path
) -> Iterator[Template]:
    """The template the fleet's worker made, loaded a second time, and made ready as it does.

    `launch` is that of the template itself, `folder` where the process lies that clones are forked
    from; where there can be none they start a qemu each, as the fleet's do then.
    """
    from devices.services import architectures, starting, zygotes

    there = var / "templates" / architectures.DEFAULT
    kept = [each for each in sorted(there.glob("*")) if each.name[:1] != "."]
    if len(kept) != 1:
        raise BenchError(f"{there} holds {len(kept)} templates instead of one")
    try:
        template = load(kept[0], key=kept[0].name)
    except BadTemplate as error:
        raise BenchError(str(error)) from error
    try:
        template.zygote = zygotes.start(
            launch, template, confinement, folder, starting.HOST_SEEN_BY_GUESTS
        )
    except ZygoteFailed as error:
        print(f"raw loop: {error}", file=sys.stderr)
    try:
        yield template
    finally:
        template.close()


def fleets_launch(running: fleet.RunningFleet, folder: Path) -> Callable[[int], Launch]:
    """Launches by number that differ from the fleet's own in who they are and where they lie.

    Number 0 is the template's.
    """
    import django

    os.environ.setdefault("FLEETDASH_VAR", str(running.var))
    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from devices.services.starting import WARM_SHAPE

    summary = running.get("summary")
    firmware = summary["firmware"]
    image = artifact.load(
        running.var.resolve() / "firmware" / firmware["architecture"] / firmware["sha256"]
    )
    proof = summary["hosts"][0]["accelerators"]["arm64"]

    def launch(number: int) -> Launch:
        who = identity(number, PORT, template=number == 0)
        return Launch(
            serial=who.serial,
            architecture="arm64",
            accelerator=proof["accelerator"],
            cpu_model=proof.get("cpu_model"),
            boot=BootloaderFiles(image.bootloader, image.environment),
            folder=GuestFolder(folder / who.serial),
            backing=image.disk,
            identity=who,
            shape=WARM_SHAPE,
        )

    return launch


def run(running: fleet.RunningFleet, result: RawClones, count: int) -> None:
    """Clone `count` devices into `result`, and leave nothing."""
    name = f"fleetdash-bench-{os.getpid()}"
    folder = Path(tempfile.mkdtemp(prefix="fleetdash-raw-"))
    confinement, missing = ensure_confinement(namespace=name, cgroup=name)
    guests: dict[str, StartedGuest] = {}
    try:
        if confinement.network_namespace is None:
            raise BenchError(f"the raw loop needs root: {' '.join(missing)}")
        for sentence in (*missing, *set_for_guests()):
            print(f"raw loop: {sentence}", file=sys.stderr)
        server = BareServer(
            listen_in_namespace(confinement.network_namespace, "127.0.0.1", PORT)
        )
        threading.Thread(target=server.run, daemon=True).start()
        launch = fleets_launch(running, folder)
        with fleets_template(
            running.var.resolve(), launch(0), confinement, folder / "zygote"
        ) as template:
            result.forked = template.zygote is not None
            Loop(launch, template, confinement, server, result, guests).run(count)
    finally:
        end_all(_left(guests.values(), confinement.cgroup), deadline_s=60, grace_s=0)
        shutil.rmtree(folder, ignore_errors=True)
        remove_namespace(name)
        if confinement.cgroup is not None:
            remove_cgroup(confinement.cgroup)


def _left(guests: Iterable[StartedGuest], group: Path | None) -> list[ProcessIdentity]:
    """The guests, and whatever else runs in the loop's own control group."""
    found = [guest.identity for guest in guests]
    for line in (group / "cgroup.procs").read_text().split() if group is not None else []:
        with contextlib.suppress(ProcessGone):
            found.append(ProcessIdentity.of(int(line)))
    return found


def main() -> int:
    """Run the loop once and print what it found as JSON, also when it is ended early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--width", type=int, default=2, help="clones that have not reported yet")
    options = parser.parse_args()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    result = RawClones(width=max(1, options.width))
    try:
        run(fleet.find(), result, options.count)
    except KeyboardInterrupt:
        result.problem = "interrupted"
    except (BenchError, OSError) as error:
        result.problem = str(error)
    print(json.dumps(asdict(result)))
    return 1 if result.problem else 0


if __name__ == "__main__":
    sys.exit(main())
