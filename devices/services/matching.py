"""Which devices somebody means: one description for the page, the API and the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.utils import timezone

from devices.errors import BadRequest
from devices.models import Device, Firmware, Host, Tag
from devices.models.device import DeviceQuerySet
from devices.states import State

MOST_CHARACTERS = 100
MOST_VALUES = 20  # alternatives of one field
MOST_AGE_S = 10 * 365 * 86_400
SLOTS = ("a", "b")
STARTS = tuple(str(start) for start in Device.Start)

_AGE = re.compile(r"(\d{1,9})([smhdw]?)")
_UNITS_S = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "": 1}
_AGES = "a whole number with s, m, h, d or w, such as 90s, 5m or 2h"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What devices must be; the empty one means every device but those that are gone.

    The values of a field are alternatives, and every field that is given must hold. A device must
    have each of the `tags`. `slots` are those of the disk, as the device reported; `starts` is how
    it came up last, as it reported, or as it was asked for while it has not. Ages are counted from
    the request for the device, in seconds.
    """

    search: str = ""
    states: tuple[State, ...] = ()
    hosts: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    older_s: int | None = None
    younger_s: int | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any], *, strict: bool = False) -> Filter:
        """The filter that an address or a JSON object describes.

        Names are `q` (or `search`), `state`, `host`, `architecture`, `firmware`, `slot`, `start`,
        `tag`, `older` and `younger`; other names are left to others. A field may be given several
        times, as a list, or with commas. What makes no sense is left out, or raises BadRequest
        when `strict`; so does a value that is given but empty, as it would mean more devices.
        """
        reader = _Reader(given, strict)
        return cls(
            search=reader.text("q") or reader.text("search"),
            states=tuple(State(word) for word in reader.words("state", tuple(State))),
            hosts=reader.words("host"),
            architectures=reader.words("architecture"),
            firmwares=reader.words("firmware"),
            slots=reader.words("slot", SLOTS),
            starts=reader.words("start", STARTS),
            tags=tuple(word.lower() for word in reader.words("tag")),
            older_s=reader.age_s("older"),
            younger_s=reader.age_s("younger"),
        )

    def pairs(self) -> list[tuple[str, str]]:
        """The names and values that `parse` takes, always in the same order."""
        fields: list[tuple[str, Sequence[str]]] = [
            ("q", [self.search] if self.search else []),
            ("state", self.states),
            ("host", self.hosts),
            ("architecture", self.architectures),
            ("firmware", self.firmwares),
            ("slot", self.slots),
            ("start", self.starts),
            ("tag", self.tags),
            ("older", [] if self.older_s is None else [age(self.older_s)]),
            ("younger", [] if self.younger_s is None else [age(self.younger_s)]),
        ]
        return [(name, str(value)) for name, values in fields for value in values]

    def to_query(self) -> str:
        """An address's query that `parse` reads as this filter; empty for the empty one."""
        return urlencode(self.pairs())


EVERY_DEVICE = Filter()


def age(seconds: int) -> str:
    """Seconds in the largest unit that holds them exactly: "90s", "5m", "1d"."""
    units = ((unit, size) for unit, size in _UNITS_S.items() if unit)
    unit, size = next((unit, size) for unit, size in units if seconds % size == 0)
    return f"{seconds // size}{unit}"


def queryset(wanted: Filter, *, now: datetime | None = None) -> DeviceQuerySet:
    """The devices that match, in no order; gone ones only when `states` asks for them."""
    now = now or timezone.now()
    found = Device.objects.order_by()
    if wanted.states:
        found = found.filter(state__in=wanted.states)
    else:
        found = found.exclude(state=State.GONE)
    if wanted.hosts:
        found = found.filter(host__in=Host.objects.filter(name__in=wanted.hosts))
    firmwares = Firmware.objects.order_by()
    if wanted.architectures:
        found = found.filter(firmware__in=firmwares.filter(architecture__in=wanted.architectures))
    if wanted.firmwares:
        found = found.filter(firmware__in=firmwares.filter(version__in=wanted.firmwares))
    if wanted.slots:
        found = found.filter(reported_slot__in=wanted.slots)
    if wanted.starts:
        found = found.filter(
            Q(reported_start__in=wanted.starts) | Q(reported_start="", start__in=wanted.starts)
        )
    for tag in wanted.tags:
        found = found.filter(id__in=Tag.objects.filter(name=tag).values("device_id"))
    if wanted.older_s is not None:
        found = found.filter(requested_at__lte=now - timedelta(seconds=wanted.older_s))
    if wanted.younger_s is not None:
        found = found.filter(requested_at__gte=now - timedelta(seconds=wanted.younger_s))
    return found.filter(_mentions(wanted.search)) if wanted.search else found


def _mentions(text: str) -> Q:
    return (
        Q(serial__icontains=text)
        | Q(reason__icontains=text)
        | Q(reported_version__icontains=text)
        | Q(host__in=Host.objects.filter(name__icontains=text))
        | Q(id__in=Tag.objects.filter(name__icontains=text).values("device_id"))
    )


class _Reader:
    """Takes fields out of a mapping; what makes no sense is dropped, or refused when strict."""

    def __init__(self, given: Mapping[str, Any], strict: bool) -> None:
        self._given = given
        self._strict = strict

    def _all(self, name: str) -> list[str]:
        getlist = getattr(self._given, "getlist", None)
        found = getlist(name) if name in self._given and getlist else self._given.get(name)
        if found is None:
            return []
        values = [found] if isinstance(found, str) or not isinstance(found, Iterable) else found
        stripped = [str(value).strip() for value in values]
        if not all(stripped) or not stripped:
            self._empty(name)
        return stripped

    def _empty(self, name: str) -> None:
        self._refuse(f"{name} is empty, which would mean more devices: fill it, or leave it out.")

    def _refuse(self, sentence: str) -> None:
        if self._strict:
            raise BadRequest(sentence)

    def _fit(self, name: str, text: str) -> str:
        if len(text) > MOST_CHARACTERS or not text.isprintable():
            self._refuse(f"{name} has at most {MOST_CHARACTERS} characters, all of them printable.")
        return "".join(c for c in text if c.isprintable())[:MOST_CHARACTERS]

    def text(self, name: str) -> str:
        """The field's last value, as free text."""
        return self._fit(name, next(reversed(self._all(name)), ""))

    def words(self, name: str, known: Sequence[str] | None = None) -> tuple[str, ...]:
        """The field's values, each once; of `known` ones when there is such a list."""
        found: dict[str, None] = {}
        for given in (w.strip() for value in self._all(name) for w in value.split(",")):
            word = self._fit(name, given if known is None else given.lower())
            if not word:
                self._empty(name)
            if known is not None and word and word not in known:
                self._refuse(f"{name} is one of {', '.join(known)}, not “{word[:40]}”.")
            elif word:
                found[word] = None
        if len(found) > MOST_VALUES:
            self._refuse(f"{name} takes at most {MOST_VALUES} values.")
        return tuple(found)[:MOST_VALUES]

    def age_s(self, name: str) -> int | None:
        """The field's last value as an age in seconds; None when it is not given."""
        found = next(reversed(self._all(name)), "")
        if not found:
            return None
        match = _AGE.fullmatch(found)
        seconds = int(match[1]) * _UNITS_S[match[2]] if match else -1
        if 0 <= seconds <= MOST_AGE_S:
            return seconds
        self._refuse(f"{name} is {_AGES}, not “{found[:40]}”.")
        return None
