"""The shapes the API takes and gives; times in ISO 8601, names carry their units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, model_validator

from devices.services.operations import MOST

Count = Annotated[int, Field(strict=True, ge=1, le=MOST, examples=[10])]
Serial = Annotated[str, Field(min_length=1, max_length=64)]


class OperationIn(Schema):
    """What is asked of many devices."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["add", "remove"]
    count: Count | None = None
    start: Literal["cold", "warm"] = "warm"
    serials: Annotated[list[Serial], Field(min_length=1, max_length=MOST)] | None = None

    @model_validator(mode="after")
    def _one_of_count_and_serials(self) -> OperationIn:
        if self.serials is not None and self.kind != "remove":
            raise ValueError("serials belong to remove only.")
        if (self.count is None) == (self.serials is None):
            raise ValueError(
                "count is missing."
                if self.kind == "add"
                else "remove takes either count or serials."
            )
        return self


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
    """The newest operations, newest first."""

    operations: list[OperationOut]


class FirmwareOut(Schema):
    """What devices run."""

    architecture: str
    version: str
    uuid: str
    sha256: str


class HostOut(Schema):
    """A machine that runs guests; `sample` is null when it has been silent for 30 s.

    `processes` says which of its worker, poller and control made progress in the last 15 s.
    """

    name: str
    architecture: str
    cores: int
    memory_bytes: int
    kernel_release: str
    accelerators: dict[str, Any]
    missing_protections: list[str]
    processes: dict[str, bool]
    sample: dict[str, Any] | None
    template: dict[str, Any] | None
    merging: dict[str, Any] | None
    shortcomings: list[str]


class HostsOut(Schema):
    """All hosts."""

    hosts: list[HostOut]


class CapacityOut(Schema):
    """How many devices there can be; what one costs once settled, and where that is from."""

    devices: int
    fits: int
    most: int
    free_bytes: int
    reserve_bytes: int
    device_cost_bytes: int
    cost_source: str
    waiting: str


class NoticeOut(Schema):
    """Something that happened to many guests at once."""

    at: datetime
    host: str
    text: str


class SummaryOut(Schema):
    """The fleet in one answer; `total` leaves out what is gone, `fits` is how many more do."""

    counts: dict[str, int]
    online: int
    total: int
    fits: int
    capacity: CapacityOut
    notices: list[NoticeOut]
    hosts: list[HostOut]
    operations: list[OperationOut]
    firmware: FirmwareOut | None


class DeviceOut(Schema):
    """One device."""

    serial: str
    slot: int | None
    state: str
    state_since: datetime
    reason: str
    host: str
    start: str
    firmware: str
    reported_version: str
    reported_slot: str
    requested_at: datetime
    spawned_at: datetime | None
    online_at: datetime | None
    ended_at: datetime | None


class DevicesOut(Schema):
    """Some devices, oldest first; `next` is the cursor of the rest, null at the end."""

    devices: list[DeviceOut]
    next: int | None


class EventOut(Schema):
    """What happened to a device."""

    at: datetime
    from_state: str
    to_state: str
    text: str
    actor: str
    operation: int | None


class DeviceDetailOut(DeviceOut):
    """One device with its process and its history, newest event first."""

    firmware_sha256: str
    reported_start: str
    pid: int | None
    last_heard_at: datetime | None
    command_line: list[str]
    events: list[EventOut]


class TokenIn(Schema):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=3650)] | None = None


class TokenOut(Schema):
    """A token; its key is not kept."""

    id: int
    name: str
    created_at: datetime
    expires_at: datetime | None


class TokensOut(Schema):
    """Your tokens that still work, newest first."""

    tokens: list[TokenOut]


class NewTokenOut(TokenOut):
    """A token just made, with its key, which is shown this once."""

    key: str


class ProblemOut(Schema):
    """An error (RFC 9457); `fits` only when more was asked for than fits."""

    type: str
    title: str
    status: int
    detail: str
    fits: int | None = None
