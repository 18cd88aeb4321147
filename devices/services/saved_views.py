"""Saved views: a person's names for ways to look at the device list."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http import QueryDict

from devices.errors import BadRequest, Conflict, NotFound
from devices.models import SavedView
from devices.services.listing import Look

MOST = 50
MOST_NAME = 60
MOST_QUERY = 500


def save(user: AbstractBaseUser, name: str, query: str) -> SavedView:
    """Keep an address of the list under a name; the same name again takes its place.

    `query` is the address's query; what in it makes no sense is left out. Raises BadRequest, or
    Conflict when the person has as many as there may be.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise BadRequest(f"A view needs a name of 1 to {MOST_NAME} characters.")
    kept = Look.parse(QueryDict(query[: 4 * MOST_QUERY])).to_query()
    if len(kept) > MOST_QUERY:
        raise BadRequest("This view asks for too much to be kept; use fewer filters.")
    with transaction.atomic():
        mine = SavedView.objects.filter(user_id=user.pk)
        if mine.exclude(name=name).count() >= MOST:
            raise Conflict(f"You have {MOST} views; delete one you no longer need.")
        view, _ = SavedView.objects.update_or_create(
            user_id=user.pk, name=name, defaults={"query": kept}
        )
    return view


def of(user: AbstractBaseUser) -> list[SavedView]:
    """A person's views, by name."""
    return list(SavedView.objects.filter(user_id=user.pk).order_by("name"))


def delete(view_id: int, user: AbstractBaseUser) -> str:
    """Forget a view of this person and give its name; raises NotFound when it is not theirs."""
    mine = SavedView.objects.filter(id=view_id, user_id=user.pk).first()
    if mine is None:
        raise NotFound(f"You have no view {view_id}.")
    mine.delete()
    return mine.name
