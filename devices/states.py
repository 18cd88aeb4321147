"""The device's state graph, declared; the only compare-and-swap that moves a device."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from devices.models import Device


class State(enum.StrEnum):
    """Where a device is in its life."""

    REQUESTED = "requested"
    SPAWNING = "spawning"
    BOOTING = "booting"
    ONLINE = "online"
    OFFLINE = "offline"
    REBOOTING = "rebooting"
    UPDATING = "updating"
    POWERING_OFF = "powering_off"
    OFF = "off"
    STOPPING = "stopping"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One state: where it leads, and how long it may last before `overdue` follows."""

    leads_to: frozenset[State]
    lasts_s: int | None = None
    overdue: State | None = None
    living: bool = True
    has_process: bool = False


def _to(*states: State) -> frozenset[State]:
    return frozenset(states)


_ENDS = (State.STOPPING, State.FAILED)

GRAPH: dict[State, Node] = {
    # waits for its turn as long as the host is busy; gone when its operation is cancelled
    State.REQUESTED: Node(leads_to=_to(State.SPAWNING, State.OFF, State.GONE, *_ENDS)),
    # back to requested when the worker died before there was a process; off when a device that has
    # a disk already could not be started
    State.SPAWNING: Node(
        leads_to=_to(State.REQUESTED, State.BOOTING, State.ONLINE, State.OFF, *_ENDS),
        lasts_s=30, overdue=State.REQUESTED,
    ),
    State.BOOTING: Node(
        leads_to=_to(State.ONLINE, State.POWERING_OFF, State.OFF, *_ENDS),
        lasts_s=settings.BOOT_DEADLINE_S, overdue=State.FAILED, has_process=True,
    ),
    State.ONLINE: Node(
        leads_to=_to(
            State.OFFLINE, State.REBOOTING, State.UPDATING, State.POWERING_OFF, State.OFF, *_ENDS
        ),
        has_process=True,
    ),
    State.OFFLINE: Node(
        leads_to=_to(
            State.ONLINE, State.REBOOTING, State.POWERING_OFF, State.OFF, *_ENDS
        ),
        has_process=True,
    ),
    State.REBOOTING: Node(
        leads_to=_to(State.ONLINE, State.OFFLINE, State.POWERING_OFF, State.OFF, *_ENDS),
        lasts_s=180, overdue=State.OFFLINE, has_process=True,
    ),
    State.UPDATING: Node(
        leads_to=_to(
            State.ONLINE, State.OFFLINE, State.REBOOTING, State.POWERING_OFF, State.OFF, *_ENDS
        ),
        lasts_s=1800, overdue=State.OFFLINE, has_process=True,
    ),
    # asked to end itself, or about to be ended; offline again when it does not end
    State.POWERING_OFF: Node(
        leads_to=_to(State.OFF, State.ONLINE, State.OFFLINE, *_ENDS),
        lasts_s=60, overdue=State.OFFLINE, has_process=True,
    ),
    # no process, but a disk and a place; it starts again through the boot-loader
    State.OFF: Node(leads_to=_to(State.REQUESTED, *_ENDS)),
    State.STOPPING: Node(leads_to=_to(State.GONE, State.FAILED), has_process=True),
    State.FAILED: Node(leads_to=_to(State.STOPPING, State.GONE), living=False),
    State.GONE: Node(leads_to=_to(), living=False),
}

LIVING = frozenset(state for state, node in GRAPH.items() if node.living)
WITH_PROCESS = frozenset(state for state, node in GRAPH.items() if node.has_process)
STARTING = frozenset({State.REQUESTED, State.SPAWNING, State.BOOTING})


def _check_graph() -> None:
    if set(GRAPH) != set(State):
        raise AssertionError(f"states without a node: {set(State) - set(GRAPH)}")
    for state, node in GRAPH.items():
        if (node.lasts_s is None) != (node.overdue is None):
            raise AssertionError(f"{state}: a deadline needs a state that follows it")
        if node.overdue is not None and node.overdue not in node.leads_to:
            raise AssertionError(f"{state} cannot lead to {node.overdue}")


_check_graph()


class ImpossibleMove(Exception):
    """The graph has no such edge: a fault in the program, never in the fleet."""


def move(
    ids: Iterable[int],
    *,
    old: State | Iterable[State],
    new: State,
    at: datetime,
    reason: str = "",
    **columns: Any,
) -> list[tuple[Device, State]]:
    """Move those of the devices that are still in `old` to `new`, in one statement.

    `columns` are written with the state. Gives each moved device (as it was before) with its old
    state; those that had left `old` are left alone, for another process got there first. Raises
    ImpossibleMove when the graph has no such edge.
    """
    from devices.models import Device

    olds = [old] if isinstance(old, State) else list(old)
    for each in olds:
        if new not in GRAPH[each].leads_to:
            raise ImpossibleMove(f"{each} does not lead to {new}")
    wanted = list(ids)
    if not wanted:
        return []
    if not GRAPH[new].living:
        columns.setdefault("ended_at", at)
    if new is State.GONE:
        columns.setdefault("slot", None)
    # inside a transaction already, a savepoint would be two statements for nothing
    with transaction.atomic(savepoint=False):
        # the lock makes read and write one step: row locks on PostgreSQL, the database's
        # single writer on SQLite, where a transaction begins IMMEDIATE
        found = list(
            Device.objects.select_for_update()
            .defer("command_line")
            .filter(id__in=wanted, state__in=olds)
            .order_by("id")
        )
        if found:
            Device.objects.filter(id__in=[d.id for d in found], state__in=olds).update(
                state=new, state_since=at, reason=reason[:500], **columns
            )
    return [(device, State(device.state)) for device in found]
