"""The log of what was asked: operations in pages, and what became of each device in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db.models import Case, Count, IntegerField, Value, When
from django.utils import timezone

from devices.models import Operation, Target

PAGE = 25
TARGETS_PAGE = 50
# what needs a person's eye comes first
OUTCOME_ORDER = (
    Target.Outcome.FAILED, Target.Outcome.PENDING, Target.Outcome.CANCELLED, Target.Outcome.DONE,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """What is looked for; an empty field means any. `actor` is a user's name."""

    kind: str = ""
    state: str = ""
    actor: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> LogFilter:
        """From an address's query; what is unknown falls back to any."""
        kind, state = given.get("kind", ""), given.get("state", "")
        return cls(
            kind=kind if kind in set(Operation.Kind) else "",
            state=state if state in set(Operation.State) else "",
            actor=given.get("actor", "")[:150].replace("\0", ""),
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One operation of the log; `seconds` is how long it took, or has been going on."""

    operation: Operation
    done: int
    failed: int
    cancelled: int
    pending: int
    seconds: float

    @property
    def total(self) -> int:
        """How many devices it is about."""
        return self.done + self.failed + self.cancelled + self.pending


@dataclass(frozen=True, kw_only=True)
class LogPage:
    """A page of the log, newest first."""

    entries: list[Entry]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, kw_only=True)
class TargetPage:
    """Some devices of an operation, failed ones first; `counts` has every outcome."""

    targets: list[Target]
    counts: dict[str, int]
    total: int
    page: int
    pages: int


def page(wanted: LogFilter, number: int = 1) -> LogPage:
    """A page of the operations that match; a page beyond the last is the last.

    Asks the database as often for a page of large operations as for one of small ones.
    """
    found = Operation.objects.select_related("actor")
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.actor:
        found = found.filter(actor__username=wanted.actor)
    total = found.count()
    number, pages = _within(number, total, PAGE)
    shown = list(found.order_by("-id")[(number - 1) * PAGE : number * PAGE])
    counts = _counts([operation.id for operation in shown])
    now = timezone.now()
    entries = [_entry(operation, counts.get(operation.id, {}), now) for operation in shown]
    return LogPage(entries=entries, total=total, page=number, pages=pages)


def _entry(operation: Operation, counts: Mapping[str, int], now: datetime) -> Entry:
    end = operation.ended_at or now
    return Entry(
        operation=operation,
        done=counts.get(Target.Outcome.DONE, 0),
        failed=counts.get(Target.Outcome.FAILED, 0),
        cancelled=counts.get(Target.Outcome.CANCELLED, 0),
        pending=counts.get(Target.Outcome.PENDING, 0),
        seconds=max(0.0, (end - operation.created_at).total_seconds()),
    )


def _counts(operation_ids: list[int]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    rows = Target.objects.filter(operation_id__in=operation_ids).order_by()
    for row in rows.values("operation_id", "outcome").annotate(n=Count("id")):
        found.setdefault(row["operation_id"], {})[row["outcome"]] = row["n"]
    return found


def actors() -> list[str]:
    """The names of those who asked for something that is still in the log."""
    asked = Operation.objects.order_by().values("actor_id").distinct()
    users = get_user_model().objects.filter(id__in=asked)
    return sorted(user.get_username() for user in users)


def targets(operation_id: int, *, outcome: str = "", number: int = 1) -> TargetPage:
    """What became of the devices of an operation, in pages; `outcome` leaves out the others."""
    counts = {str(each): 0 for each in OUTCOME_ORDER} | _counts([operation_id]).get(
        operation_id, {}
    )
    found = Target.objects.filter(operation_id=operation_id).select_related("device")
    if outcome:
        found = found.filter(outcome=outcome)
    total = counts[outcome] if outcome else sum(counts.values())
    number, pages = _within(number, total, TARGETS_PAGE)
    rank = Case(
        *(When(outcome=each, then=Value(place)) for place, each in enumerate(OUTCOME_ORDER)),
        default=Value(len(OUTCOME_ORDER)), output_field=IntegerField(),
    )  # fmt: skip
    ordered = found.defer("device__command_line").order_by(rank, "id")
    shown = list(ordered[(number - 1) * TARGETS_PAGE : number * TARGETS_PAGE])
    return TargetPage(targets=shown, counts=counts, total=total, page=number, pages=pages)


def row(operation_id: int) -> Operation | None:
    """The operation itself, with who asked for it; None when there is none."""
    return Operation.objects.select_related("actor").filter(id=operation_id).first()


def retries(operation_id: int) -> list[int]:
    """The operations that tried again what failed in this one, oldest first."""
    return list(
        Operation.objects.filter(retry_of_id=operation_id).order_by("id")
        .values_list("id", flat=True)
    )


def _within(number: int, total: int, size: int) -> tuple[int, int]:
    pages = max(1, -(-total // size))
    return min(max(1, number), pages), pages
