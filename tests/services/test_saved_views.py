from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.errors import BadRequest, Conflict, NotFound
from devices.services import saved_views


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna")


def names(user: User) -> dict[str, str]:
    return {view.name: view.query for view in saved_views.of(user)}


def test_a_view_is_kept_without_nonsense_and_replaced_by_its_name(anna: User) -> None:
    saved_views.save(anna, " my  lab ", "tag=lab&state=asleep&sort=serial&page=7&size=25")
    assert names(anna) == {"my lab": "tag=lab&sort=serial&size=25"}
    saved_views.save(anna, "my lab", "tag=red")
    assert names(anna) == {"my lab": "tag=red"}


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b"])
def test_a_view_needs_a_name(anna: User, name: str) -> None:
    with pytest.raises(BadRequest, match="needs a name"):
        saved_views.save(anna, name, "")


def test_there_is_an_end_to_views_and_to_one_view(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    for name in ("a", "b"):
        saved_views.save(anna, name, "")
    with pytest.raises(Conflict, match="delete one"):
        saved_views.save(anna, "c", "")
    saved_views.save(anna, "b", "q=x")
    hosts = "&".join(f"host={'h' * 90}{n}" for n in range(9))
    with pytest.raises(BadRequest, match="fewer filters"):
        saved_views.save(anna, "a", hosts)


def test_a_view_is_its_owners_alone(anna: User) -> None:
    view = saved_views.save(anna, "mine", "q=x")
    other = User.objects.create_user("ben")
    assert names(other) == {}
    with pytest.raises(NotFound):
        saved_views.delete(view.id, other)
    assert saved_views.delete(view.id, anna) == "mine"
    assert names(anna) == {}
