"""Tags: words people give to devices, to find and act on them by."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
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


def apply(
    device_ids: Collection[int],
    *,
    add: Collection[str],
    remove: Collection[str],
    actor_id: int | None = None,
    operation_id: int | None = None,
    at: datetime | None = None,
) -> dict[int, str]:
    """Tag devices, and write it into the timeline of those that changed.

    `add` and `remove` are as `parameters` gives them. Gives, for each device that was left as it
    was because it would have too many tags, a sentence.
    """
    at = at or timezone.now()
    ids = sorted(set(device_ids))
    refused: dict[int, str] = {}
    with transaction.atomic():
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            had = _of(batch)
            after = {id: (had[id] | {*add}) - {*remove} for id in batch}
            refused |= {id: FULL for id in batch if len(after[id]) > MOST_OF_A_DEVICE}
            takes = [id for id in batch if id not in refused]
            Tag.objects.filter(device_id__in=takes, name__in=remove).delete()
            Tag.objects.bulk_create(
                [Tag(device_id=id, name=name) for id in takes for name in add],
                ignore_conflicts=True, batch_size=_BATCH,
            )
            Event.objects.bulk_create(
                Event(at=at, device_id=id, actor_id=actor_id, operation_id=operation_id, text=said)
                for id in takes
                if (said := _said(sorted({*add} - had[id]), sorted({*remove} & had[id])))
            )
    return refused


def _of(device_ids: Collection[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {id: set() for id in device_ids}
    rows = Tag.objects.filter(device_id__in=device_ids).values_list("device_id", "name")
    for device_id, name in rows:
        found[device_id].add(name)
    return found


def _said(added: list[str], removed: list[str]) -> str:
    parts = [f"tagged {', '.join(added)}"] if added else []
    parts += [f"no longer tagged {', '.join(removed)}"] if removed else []
    return "; ".join(parts)[:500]


def of(device: Device) -> list[str]:
    """A device's tags, in order."""
    return list(Tag.objects.filter(device=device).order_by("name").values_list("name", flat=True))


def counts() -> dict[str, int]:
    """Every tag there is, with how many devices have it."""
    rows = Tag.objects.order_by("name").values("name").annotate(n=Count("device_id"))
    return {row["name"]: row["n"] for row in rows}
