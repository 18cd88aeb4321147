"""The page's live fragments: each rendered once per process, whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string

from devices.live import panels
from devices.models import Device

COUNTS = "counts"
HOSTS = "hosts"
OPERATIONS = "operations"
WATCHED = "watched"  # operations as a wall shows them: without buttons
PROGRESS = "progress"
CAPACITY = "capacity"
NOTICES = "notices"
ABOUT_OPERATIONS = frozenset({OPERATIONS, WATCHED})
# what the renderer is asked for; progress comes with operations, notices with capacity
PARTS = frozenset({COUNTS, HOSTS, CAPACITY}) | ABOUT_OPERATIONS


@dataclass(frozen=True)
class Fragment:
    """A piece of HTML whose elements replace those of the same id.

    `key`, when given, says what the piece is about: it is sent again only when that changes, so
    that a button is not taken from under a finger.
    """

    name: str
    html: str
    key: object = None


@dataclass(frozen=True)
class Rendered:
    """What came of one rendering; `operation_running` is None when nobody looked."""

    fragments: tuple[Fragment, ...]
    operation_running: bool | None = None


Render = Callable[
    [frozenset[str], Mapping[str, Mapping[str, Any]], float, Sequence[int]], Rendered
]


def render(
    parts: frozenset[str],
    samples: Mapping[str, Mapping[str, Any]],
    online_per_s: float,
    online_each_s: Sequence[int] = (),
) -> Rendered:
    """Render the asked-for parts. Runs in a thread, for it asks the database.

    `online_each_s`: how many devices came online in each of the last seconds, oldest first.
    """
    made: list[Fragment] = []
    running: bool | None = None
    if COUNTS in parts:
        made.append(Fragment(COUNTS, render_to_string("live/counts.html", panels.counts())))
    if HOSTS in parts and samples:
        context = panels.hosts(samples, online_per_s, online_each_s)
        made.append(Fragment(HOSTS, render_to_string("live/hosts.html", context)))
    if CAPACITY in parts:
        made.append(Fragment(CAPACITY, render_to_string("live/capacity.html", panels.capacity())))
        made.append(Fragment(NOTICES, render_to_string("live/notices.html", panels.notices())))
    if parts & ABOUT_OPERATIONS:
        shown = panels.recent_operations()
        running = any(o["running"] for o in shown["operations"])
        made += _operations(shown, parts)
    return Rendered(tuple(made), running)


def _operations(shown: Mapping[str, Any], parts: frozenset[str]) -> list[Fragment]:
    key = tuple(
        (o["id"], o["state"], o["cancelling"], o["cancellable"], bool(o["undoable"]))
        for o in shown["operations"]
    )
    progress = "".join(
        render_to_string("live/progress.html", {"o": o})
        for o in shown["operations"] if o["running"]
    )
    made = [Fragment(PROGRESS, progress)]
    for name in sorted(parts & ABOUT_OPERATIONS):
        context = {**shown, "watched": name == WATCHED}
        made.append(Fragment(name, render_to_string("live/operations.html", context), key))
    return made


def typist_part(serial: str) -> str:
    """The name of the fragment that says who types on a device's console."""
    return f"typist:{serial}"


def typist(user: str, by: str) -> str:
    """Who types on a console, if anybody; `by` names the page that does."""
    return render_to_string("live/typist.html", {"user": user, "by": by})


def typing_word(sentence: str) -> str:
    """What is said of typing to one person alone."""
    return render_to_string("live/typing_word.html", {"sentence": sentence})


@lru_cache(maxsize=20_000)
def row_state(slot: int, state: str) -> str:
    """The state of a device in a list, replaced as it changes."""
    return render_to_string("live/row_state.html", {"slot": slot, "state": state})


def slot_states() -> dict[int, str]:
    """The state of every device that has a place on the wall."""
    return {
        slot: state
        for slot, state in Device.objects.filter(slot__isnull=False).values_list("slot", "state")
        if slot is not None
    }
