"""The shapes the API gives; times in ISO 8601, names carry their units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from devices.api.operation_schemas import OperationOut


class FirmwareOut(Schema):
    """What devices run."""

    architecture: str
    version: str
    uuid: str
    sha256: str


class FirmwareDetailOut(FirmwareOut):
    """A firmware that was imported, and how many devices have it."""

    size_bytes: int
    imported_at: datetime
    devices: int


class FirmwaresOut(Schema):
    """All firmware, newest first."""

    firmware: list[FirmwareDetailOut]


class HostOut(Schema):
    """A machine that runs guests; `sample` is null when it has been silent for 30 s.

    `processes` says which of worker, poller, control and gateway made progress in the last 15 s.
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
    templates: dict[str, dict[str, Any] | None]
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
    firmwares: list[FirmwareOut]


class DeviceOut(Schema):
    """One device."""

    serial: str
    slot: int | None
    state: str
    state_since: datetime
    reason: str
    host: str
    architecture: str
    start: str
    firmware: str
    reported_version: str
    reported_slot: str
    tags: list[str]
    requested_at: datetime
    spawned_at: datetime | None
    online_at: datetime | None
    ended_at: datetime | None


class DevicesOut(Schema):
    """Some devices, oldest first; `next` is the cursor of the rest, null at the end."""

    devices: list[DeviceOut]
    next: str | None


class CountOut(Schema):
    """How many there are."""

    count: int


class TagOut(Schema):
    """A tag and how many devices have it."""

    name: str
    devices: int


class TagsOut(Schema):
    """All tags, by name."""

    tags: list[TagOut]


class EventOut(Schema):
    """What happened to a device."""

    at: datetime
    from_state: str
    to_state: str
    text: str
    actor: str
    operation: int | None


class EventsOut(Schema):
    """Events, newest first; `next` is the cursor of the rest, null at the end."""

    events: list[EventOut]
    next: str | None


class DeviceDetailOut(DeviceOut):
    """One device with its process and its newest events, newest first."""

    firmware_sha256: str
    reported_start: str
    pid: int | None
    last_heard_at: datetime | None
    command_line: list[str]
    events: list[EventOut]


class TokenIn(Schema):
    """A token to be made; it does not expire where no days are given."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    scope: Literal["full", "read", "metrics"] = "full"
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=3650)] | None = None


class TokenOut(Schema):
    """A token; its key is not kept. One of scope `wall` is a link for a screen."""

    id: int
    name: str
    scope: Literal["full", "read", "metrics", "wall"]
    created_at: datetime
    expires_at: datetime | None


class TokensOut(Schema):
    """Your tokens that are not revoked, newest first."""

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
