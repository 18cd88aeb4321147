"""Which devices are meant, in an address or in a body."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from devices.services.matching import MOST_CHARACTERS, MOST_VALUES, Filter
from devices.states import State

# patterns are described only: the service says what is wrong in a sentence
Word = Annotated[
    str,
    Field(
        max_length=MOST_CHARACTERS, json_schema_extra={"pattern": "^[A-Za-z0-9._:/+-]{1,64}$"}
    ),
]
SOME = {"minItems": 1}
Words = Annotated[
    list[Word],
    Field(default_factory=list, max_length=MOST_VALUES, json_schema_extra=SOME),
]
Age = Annotated[
    str,
    Field(
        max_length=10,
        json_schema_extra={"pattern": "^[0-9]{1,9}[smhdw]?$"},
        description="Seconds, or a number with s, m, h, d or w: `90s`, `2h`.",
    ),
]


class DeviceFilter(Schema):
    """Which devices: each field given must hold, its values are alternatives; `{}` means all.

    A device must have every one of the tags. Without `state` those that are gone are left out. A
    field that is given and empty is refused.
    """

    model_config = ConfigDict(extra="forbid")

    search: Annotated[
        str,
        Field(
            default_factory=str, max_length=MOST_CHARACTERS, json_schema_extra={"minLength": 1}
        ),
    ]
    state: Annotated[
        list[State],
        Field(default_factory=list, max_length=MOST_VALUES, json_schema_extra=SOME),
    ]
    host: Words
    architecture: Annotated[
        list[Literal["arm64", "x64"]],
        Field(default_factory=list, max_length=2, json_schema_extra=SOME),
    ]
    firmware: Words
    slot: Annotated[
        list[Literal["a", "b"]],
        Field(default_factory=list, max_length=2, json_schema_extra=SOME),
    ]
    start: Annotated[
        list[Literal["cold", "warm"]],
        Field(default_factory=list, max_length=2, json_schema_extra=SOME),
    ]
    tag: Words
    older: Annotated[Age, Field(default_factory=str)]
    younger: Annotated[Age, Field(default_factory=str)]

    def wanted(self) -> Filter:
        """The filter; raises BadRequest for what makes no sense."""
        return Filter.parse(self.model_dump(exclude_unset=True), strict=True)
