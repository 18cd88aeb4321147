"""The page's live fragments: each rendered once per process, whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string

from devices.live import device_panel, panels
from devices.models import Device
from devices.services import hosts

log = logging.getLogger(__name__)

COUNTS = "counts"
HOSTS = "hosts"
OPERATIONS = "operations"
WATCHED = "watched"  # operations as a wall shows them: without buttons
LOG = "log"  # that something began or ended, for the log of operations
PROGRESS = "progress"
CAPACITY = "capacity"
NOTICES = "notices"
DEVICE = "device:"  # and a serial: how that device is now
ABOUT_OPERATIONS = frozenset({OPERATIONS, WATCHED, LOG})
# what the renderer is asked for; progress comes with operations, notices with capacity
PARTS = frozenset({COUNTS, HOSTS, CAPACITY}) | ABOUT_OPERATIONS

# panels that could not be rendered the last time; used by the rendering thread alone
_failing: set[str] = set()


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
    """What came of one rendering; `operation_running` is None when nobody looked.

    `failed` are the parts of which something could not be rendered: they are to be asked for again.
    """

    fragments: tuple[Fragment, ...]
    operation_running: bool | None = None
    failed: frozenset[str] = frozenset()


Render = Callable[
    [frozenset[str], Mapping[str, Mapping[str, Any] | None], float, Sequence[int]], Rendered
]


def device_parts(parts: Iterable[str]) -> frozenset[str]:
    """Those of the parts that are about one device."""
    return frozenset(part for part in parts if part.startswith(DEVICE))


def rendered_parts(parts: Iterable[str]) -> frozenset[str]:
    """Those of the parts that are rendered only while somebody sees them."""
    return frozenset(parts) & (PARTS | {PROGRESS, NOTICES}) | device_parts(parts)


def render(
    parts: frozenset[str],
    samples: Mapping[str, Mapping[str, Any] | None],
    online_per_s: float,
    online_each_s: Sequence[int] = (),
) -> Rendered:
    """Render the asked-for parts one by one. Runs in a thread, for it asks the database.

    A panel that raises is logged and left out; the others are rendered all the same. `samples` are
    those of the hosts that were heard, None of one that has fallen silent.
    `online_each_s`: how many devices came online in each of the last seconds, oldest first.
    """
    drawings: list[tuple[str, frozenset[str], Callable[[], Rendered]]] = [
        (COUNTS, parts & {COUNTS}, _counts),
        (HOSTS, parts & {HOSTS}, lambda: _hosts(samples, online_per_s, online_each_s)),
        (CAPACITY, parts & {CAPACITY}, _capacity),
        (NOTICES, parts & {CAPACITY}, _notices),
        (OPERATIONS, parts & ABOUT_OPERATIONS, lambda: _operations(parts)),
        *((part, frozenset({part}), lambda part=part: _device(part))
          for part in sorted(device_parts(parts))),
    ]  # fmt: skip
    made: list[Fragment] = []
    running: bool | None = None
    failed: frozenset[str] = frozenset()
    for name, about, draw in drawings:
        if not about:
            continue
        drawn = _draw(name, draw)
        if drawn is None:
            failed |= about
            continue
        made += drawn.fragments
        if drawn.operation_running is not None:
            running = drawn.operation_running
    return Rendered(tuple(made), running, failed)


def _draw(name: str, draw: Callable[[], Rendered]) -> Rendered | None:
    """What `draw` gives; None when it raises, which is logged once until it succeeds again."""
    try:
        drawn = draw()
    except Exception:
        if name not in _failing:
            log.exception("The page's %s could not be rendered; trying again", name)
        _failing.add(name)
        return None
    _failing.discard(name)
    return drawn


def _counts() -> Rendered:
    return _one(COUNTS, "live/counts.html", panels.counts())


def _hosts(
    samples: Mapping[str, Mapping[str, Any] | None],
    online_per_s: float,
    online_each_s: Sequence[int],
) -> Rendered:
    if not samples:
        return Rendered(())
    # one that was forgotten is still in the hub's memory
    known = {name: samples.get(name) for name in hosts.names()}
    return _one(HOSTS, "live/hosts.html", panels.hosts(known, online_per_s, online_each_s))


def _capacity() -> Rendered:
    return _one(CAPACITY, "live/capacity.html", panels.capacity())


def _notices() -> Rendered:
    return _one(NOTICES, "live/notices.html", panels.notices())


def _device(part: str) -> Rendered:
    return _one(part, "live/device_now.html", device_panel.now(part.removeprefix(DEVICE)))


def _one(name: str, template: str, context: Mapping[str, Any]) -> Rendered:
    return Rendered((Fragment(name, render_to_string(template, dict(context))),))


def _operations(parts: frozenset[str]) -> Rendered:
    shown = panels.recent_operations()
    key = tuple(
        (o["id"], o["state"], o["cancelling"], o["cancellable"], bool(o["undoable"]))
        for o in shown["operations"]
    )
    progress = "".join(
        render_to_string("live/progress.html", {"o": o})
        for o in shown["operations"] if o["running"]
    )
    made = [Fragment(PROGRESS, progress)]
    if LOG in parts:
        news = " ".join(f"{o['id']}:{o['state']}" for o in shown["operations"])
        made.append(Fragment(LOG, render_to_string("live/operations_news.html", {"news": news})))
    for name in sorted(parts & {OPERATIONS, WATCHED}):
        context = {**shown, "watched": name == WATCHED}
        made.append(Fragment(name, render_to_string("live/operations.html", context), key))
    return Rendered(tuple(made), any(o["running"] for o in shown["operations"]))


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
