"""Wakes clones of a template, each as its own guest with every protection of a cold one.

A clone is forked from the template's zygote where there is one (devices/qemu/zygote.py); else its
qemu starts anew, finds what it is to do on its QMP socket, with the template's state as an open
file beside it, and goes on by itself. All are begun before any is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from devices.qemu import waking
from devices.qemu.errors import GuestExists, QemuError
from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.spawn import LEAST_FREE_MIB, START_DEADLINE_S, not_started
from devices.qemu.template import Template
from devices.qemu.zygote import ZygoteLost


def clone(
    launch: Launch,
    template: Template,
    confinement: Confinement,
    *,
    start_deadline_s: float = START_DEADLINE_S,
) -> StartedGuest:
    """Wake one clone; raises what `clone_many` gives in its place."""
    (outcome,) = clone_many(
        [launch], template, confinement, start_deadline_s=start_deadline_s
    ).values()
    if isinstance(outcome, QemuError):
        raise outcome
    return outcome


def clone_many(
    launches: Sequence[Launch],
    template: Template,
    confinement: Confinement,
    *,
    begun: Callable[[str], None] = lambda serial: None,
    start_deadline_s: float = START_DEADLINE_S,
    least_free_mib: int = LEAST_FREE_MIB,
) -> Mapping[str, StartedGuest | QemuError]:
    """What became of each by serial, once every one runs, has ended, or the deadline is over.

    One that is merely slow counts as started. Of one that failed nothing is left but its error.
    `begun` is told of each whose sockets are there and which has hardly said anything yet.
    """
    outcomes: dict[str, StartedGuest | QemuError] = {}
    woken: list[waking.Waking] = []
    for launch in launches:
        try:
            woken.append(_begin(launch, template, confinement, least_free_mib))
            begun(launch.serial)
        except (QemuError, OSError) as error:
            outcomes[launch.serial] = _failed(launch, error, least_free_mib)
    return {**outcomes, **waking.wait_for(woken, deadline_s=start_deadline_s)}


def _begin(
    launch: Launch, template: Template, confinement: Confinement, least_free_mib: int
) -> waking.Waking:
    zygote = template.living_zygote
    if zygote is not None:
        try:
            return zygote.fork(launch, least_free_mib=least_free_mib)
        except ZygoteLost:
            pass
    return waking.begin(launch, template, confinement, least_free_mib=least_free_mib)


def _failed(launch: Launch, error: QemuError | OSError, least_free_mib: int) -> QemuError:
    if isinstance(error, GuestExists):
        return error
    launch.folder.remove()
    if isinstance(error, OSError):
        return not_started(launch, error, least_free_mib)
    return error
