"""Tags: words people give to devices, to find and act on them by."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from devices.errors import BadRequest
from devices.models import Device, Event, Tag

MOST_AT_ONCE = 20
MOST_OF_A_DEVICE = 20
FULL = f"It has {MOST_OF_A_DEVICE} tags already; take one away first."
_TAG = re.compile(r"[a-z0-9](?:[a-z0-9._:/+-]{0,38}[a-z0-9])?")
_BATCH = 5000


@dataclass(frozen=True)
class Change:
    """Tags that a device gets, and tags that are taken from it, in order; none is in both."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Iterable[str]]) -> Change:
        """What `parameters` and `to_json` give, as a change."""
        return cls(tuple(sorted(given.get("add", ()))), tuple(sorted(given.get("remove", ()))))

    def to_json(self) -> dict[str, list[str]]:
        """Plain values for JSON."""
        return {"add": list(self.add), "remove": list(self.remove)}

    def to(self, tags: Collection[str]) -> Change:
        """What of it is a change to a device that has these tags."""
        return Change(
            tuple(tag for tag in self.add if tag not in tags),
            tuple(tag for tag in self.remove if tag in tags),
        )

    def undone(self) -> Change:
        """What takes it back."""
        return Change(self.remove, self.add)

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def names(given: str | Iterable[str]) -> list[str]:
    """Tags from text (apart by commas or spaces) or a list, in lower case and each once.

    Raises BadRequest naming what is no tag.
    """
    words = re.split(r"[\s,]+", given) if isinstance(given, str) else list(given)
    found = list(dict.fromkeys(word.strip().lower() for word in words if word.strip()))
    for word in found:
        if not _TAG.fullmatch(word):
            raise BadRequest(
                f"“{word[:40]}” is no tag: a tag has 1 to 40 letters, digits and . _ : / + -, and "
                "begins and ends with a letter or digit."
            )
    if len(found) > MOST_AT_ONCE:
        raise BadRequest(f"{len(found)} tags are too many: name at most {MOST_AT_ONCE} at once.")
    return found


def parameters(
    add: str | Iterable[str] = (), remove: str | Iterable[str] = ()
) -> dict[str, list[str]]:
    """The parameters of a tagging, checked; raises BadRequest when nothing is to be done."""
    adding, removing = names(add), names(remove)
    if both := set(adding) & set(removing):
        raise BadRequest(f"The tag {min(both)} is to be both added and removed; choose one.")
    if not adding and not removing:
        raise BadRequest("Name a tag to add, or one to remove.")
    return {"add": adding, "remove": removing}


def together(changes: Iterable[Change]) -> dict[str, list[str]]:
    """All that any of the changes gives and takes, as `parameters` gives it."""
    kept = list(changes)
    return {
        "add": sorted({tag for change in kept for tag in change.add}),
        "remove": sorted({tag for change in kept for tag in change.remove}),
    }


@dataclass(frozen=True)
class Applied:
    """What became of a tagging, by the devices' ids.

    `changed` is what changed, where anything did; `refused` says in a sentence why a device was
    left as it was, as it would have too many tags.
    """

    changed: dict[int, Change] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


def apply(
    changes: Mapping[int, Change],
    *,
    actor_id: int | None = None,
    operation_id: int | None = None,
    at: datetime | None = None,
) -> Applied:
    """Tag devices, each as is said by its id, and write it into the timeline of what changed."""
    at = at or timezone.now()
    ids = sorted(changes)
    applied = Applied()
    with transaction.atomic():
        for start in range(0, len(ids), _BATCH):
            had = _of(ids[start : start + _BATCH])
            changed: dict[int, Change] = {}
            for id, tags in had.items():
                change = changes[id].to(tags)
                if len(tags) + len(change.add) - len(change.remove) > MOST_OF_A_DEVICE:
                    applied.refused[id] = FULL
                elif change:
                    changed[id] = change
            _write(changed)
            Event.objects.bulk_create(
                Event(
                    at=at, device_id=id, actor_id=actor_id, operation_id=operation_id,
                    text=_said(change),
                )
                for id, change in changed.items()
            )
            applied.changed.update(changed)
    return applied


def _write(changed: Mapping[int, Change]) -> None:
    losing: dict[str, list[int]] = {}
    for id, change in changed.items():
        for tag in change.remove:
            losing.setdefault(tag, []).append(id)
    for tag, ids in losing.items():
        Tag.objects.filter(name=tag, device_id__in=ids).delete()
    Tag.objects.bulk_create(
        [Tag(device_id=id, name=tag) for id, change in changed.items() for tag in change.add],
        ignore_conflicts=True, batch_size=_BATCH,
    )


def _of(device_ids: Collection[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {id: set() for id in device_ids}
    rows = Tag.objects.filter(device_id__in=device_ids).values_list("device_id", "name")
    for device_id, name in rows:
        found[device_id].add(name)
    return found


def _said(change: Change) -> str:
    parts = [f"tagged {', '.join(change.add)}"] if change.add else []
    parts += [f"no longer tagged {', '.join(change.remove)}"] if change.remove else []
    return "; ".join(parts)[:500]


def of(device: Device) -> list[str]:
    """A device's tags, in order."""
    return list(Tag.objects.filter(device=device).order_by("name").values_list("name", flat=True))


def counts() -> dict[str, int]:
    """Every tag there is, with how many devices have it."""
    rows = Tag.objects.order_by("name").values("name").annotate(n=Count("device_id"))
    return {row["name"]: row["n"] for row in rows}
