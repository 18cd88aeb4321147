"""The shapes of operations; times in ISO 8601, names carry their units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, model_validator

from devices.api.filtering import DeviceFilter
from devices.services.operations import MOST

Count = Annotated[int, Field(strict=True, ge=1, le=MOST, examples=[10])]
Serial = Annotated[str, Field(min_length=1, max_length=64)]
TagName = Annotated[str, Field(min_length=1, max_length=40)]
Tags = Annotated[list[TagName], Field(min_length=1, max_length=20)]


class OperationIn(Schema):
    """What is asked of many devices: of a `count`, of the `serials` named, or of those `matching`.

    `add` takes a count, a start and an architecture. `tag` takes `add_tags`, `remove_tags` or both.
    With `matching`, `confirmed` is how many devices a person was asked about: nothing is begun when
    noticeably more or fewer match by then.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["add", "remove", "reboot", "shut_down", "power_off", "power_on", "tag"]
    count: Count | None = None
    start: Literal["cold", "warm"] = "warm"
    architecture: Literal["arm64", "x64"] = "arm64"
    serials: Annotated[list[Serial], Field(min_length=1, max_length=MOST)] | None = None
    matching: DeviceFilter | None = None
    confirmed: Annotated[int, Field(strict=True, ge=0, lt=1 << 31)] | None = None
    add_tags: Tags | None = None
    remove_tags: Tags | None = None

    @model_validator(mode="after")
    def _says_which_devices(self) -> OperationIn:
        given = {
            "count": self.count, "serials": self.serials, "matching": self.matching
        }
        named = [name for name, value in given.items() if value is not None]
        takes = {"add": ["count"], "remove": ["count", "serials", "matching"]}.get(
            self.kind, ["serials", "matching"]
        )
        for name in named:
            if name not in takes:
                raise ValueError(f"{name} does not belong to {self.kind}.")
        if self.kind == "add" and not named:
            raise ValueError("count is missing.")
        if len(named) != 1:
            raise ValueError(f"{self.kind} takes one of {', '.join(takes)}.")
        for name in ("start", "architecture"):
            if name in self.model_fields_set and self.kind != "add":
                raise ValueError(f"{name} belongs to add: matching says which devices are meant.")
        if self.confirmed is not None and self.matching is None:
            raise ValueError("confirmed belongs to matching.")
        if (self.kind == "tag") != (self.add_tags is not None or self.remove_tags is not None):
            raise ValueError("tag, and nothing else, takes add_tags or remove_tags.")
        return self

    def parameters(self) -> dict[str, Any] | None:
        """What the kind needs to know beside which devices."""
        if self.kind != "tag":
            return None
        return {"add": self.add_tags or [], "remove": self.remove_tags or []}


class OperationOut(Schema):
    """An operation with its progress; `held` is what keeps it from starting more, if anything."""

    id: int
    kind: str
    state: Literal["running", "succeeded", "partly", "failed", "cancelled"]
    count: int
    done: int
    failed: int
    cancelled: int
    pending: int
    actor: str
    note: str
    created_at: datetime
    ended_at: datetime | None
    seconds: float
    rate_per_s: float
    eta_s: float | None
    p50_s: float | None
    p95_s: float | None
    cancel_requested: bool
    held: str


class OperationsOut(Schema):
    """Operations, newest first; `next` is the cursor of the rest, null at the end."""

    operations: list[OperationOut]
    next: str | None


class OutcomeOut(Schema):
    """One device of an operation; `reason` says why it failed or was left out."""

    serial: str
    outcome: Literal["pending", "done", "failed", "cancelled"]
    reason: str
    ended_at: datetime | None


class OutcomesOut(Schema):
    """Devices of an operation; `next` is the cursor of the rest, null at the end."""

    devices: list[OutcomeOut]
    next: str | None
