"""What a person may filter the list by, with what is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devices.services import matching
from devices.services.listing import Choices
from devices.services.matching import Filter
from devices.states import State

AGES = (("5m", "5 minutes"), ("1h", "an hour"), ("1d", "a day"), ("1w", "a week"))


@dataclass(frozen=True)
class Option:
    """One value; `icon` is a state's mark, where there is one."""

    value: str
    label: str
    chosen: bool
    icon: str = ""


@dataclass(frozen=True)
class Facet:
    """A field of which several values may be chosen; `none` is said while none is."""

    name: str
    title: str
    options: tuple[Option, ...]
    none: str = "any"
    empty: str = ""

    @property
    def said(self) -> str:
        """What is chosen, in short."""
        labels = [option.label for option in self.options if option.chosen]
        return ", ".join(labels) if len(labels) < 3 else f"{len(labels)} chosen"


def _facet(
    name: str, title: str, known: Sequence[str], chosen: Sequence[str], empty: str = ""
) -> Facet:
    # what is chosen and is no more can still be taken back
    values = dict.fromkeys([*known, *chosen])
    return Facet(name, title, tuple(Option(v, v, v in chosen) for v in values), empty=empty)


def facets(wanted: Filter, known: Choices) -> list[Facet]:
    """The fields in the order of the page."""
    states = tuple(
        Option(str(s), s.replace("_", " "), s in wanted.states, icon=str(s)) for s in State
    )
    slots = tuple(Option(s, s.upper(), s in wanted.slots) for s in matching.SLOTS)
    found = [
        Facet("state", "State", states, none="all but gone"),
        _facet("host", "Host", known.hosts, wanted.hosts, "No machine has registered yet."),
        _facet("firmware", "Firmware", known.firmwares, wanted.firmwares, "There is none yet."),
        Facet("slot", "Slot", slots),
        _facet("start", "Start", matching.STARTS, wanted.starts),
        _facet(
            "tag", "Tags", known.tags, wanted.tags,
            "There are no tags yet: select devices and press Tag.",
        ),
    ]
    if len(known.architectures) > 1 or wanted.architectures:
        found.insert(
            3,
            _facet(
                "architecture", "Architecture", known.architectures, wanted.architectures
            ),
        )
    return found


@dataclass(frozen=True)
class AgeChoice:
    """One bound of the age."""

    name: str
    title: str
    options: tuple[Option, ...]


def ages(wanted: Filter) -> list[AgeChoice]:
    """The two bounds, each with what is chosen among what is usual."""
    return [
        _age("younger", "Younger than", wanted.younger_s),
        _age("older", "Older than", wanted.older_s),
    ]


def _age(name: str, title: str, seconds: int | None) -> AgeChoice:
    chosen = "" if seconds is None else matching.age(seconds)
    labels = dict(AGES)
    labels.setdefault(chosen, chosen)
    labels.pop("", None)
    options = tuple(Option(value, label, value == chosen) for value, label in labels.items())
    return AgeChoice(name, title, (Option("", "any age", not chosen), *options))
