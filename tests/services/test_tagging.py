from __future__ import annotations

import pytest

from devices.errors import BadRequest
from devices.models import Device, Event, Tag
from devices.services import tagging
from devices.services.tagging import Applied, Change
from tests.rows import a_device, a_host


def test_names_are_lower_case_and_each_once() -> None:
    assert tagging.names(" Lab, rack-2\nlab  eu/west:1") == ["lab", "rack-2", "eu/west:1"]
    assert tagging.names(["A"]) == ["a"]


@pytest.mark.parametrize("text", ["-x", "x.", "a" * 41, "<b>", "ü", " ".join(map(str, range(21)))])
def test_what_is_no_tag_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadRequest, match=r"tag"):
        tagging.names(text)


def test_a_tagging_says_what_is_to_be_done() -> None:
    assert tagging.parameters("a b", ["c"]) == {"add": ["a", "b"], "remove": ["c"]}
    with pytest.raises(BadRequest, match="Name a tag"):
        tagging.parameters(" ", [])
    with pytest.raises(BadRequest, match="both"):
        tagging.parameters("a", "A")


@pytest.fixture
def two(db: None) -> list[Device]:
    host = a_host()
    return [a_device(host), a_device(host)]


def test_tags_come_and_go_and_the_timeline_says_so(two: list[Device]) -> None:
    first, second = two
    lab, red = Change(add=("lab",)), Change(add=("red",))
    assert tagging.apply({first.id: lab, second.id: lab}) == Applied(
        changed={first.id: lab, second.id: lab}
    )
    more = Change(add=("lab", "red"), remove=("blue",))
    assert tagging.apply({first.id: more}) == Applied(changed={first.id: red})
    assert tagging.apply(dict.fromkeys((first.id, second.id), lab.undone())).refused == {}
    assert tagging.of(first) == ["red"] and tagging.of(second) == []
    told = list(Event.objects.filter(device=first).order_by("id").values_list("text", flat=True))
    assert told == ["tagged lab", "tagged red", "no longer tagged lab"]
    assert tagging.counts() == {"red": 1}


def test_nothing_changed_is_no_event(two: list[Device]) -> None:
    ids = [device.id for device in two]
    tagging.apply(dict.fromkeys(ids, Change(add=("lab",))))
    again = tagging.apply(dict.fromkeys(ids, Change(add=("lab",), remove=("blue",))))
    assert again == Applied()
    assert Event.objects.count() == 2


def test_a_device_with_too_many_tags_is_left_as_it_is(two: list[Device]) -> None:
    full, other = two
    Tag.objects.bulk_create(Tag(device=full, name=f"t{n}") for n in range(20))
    many = Change(add=("more", "one"), remove=("t0",))
    applied = tagging.apply({full.id: many, other.id: many})
    assert list(applied.refused) == [full.id] and "20 tags" in applied.refused[full.id]
    assert applied.changed == {other.id: Change(add=("more", "one"))}
    assert tagging.of(other) == ["more", "one"] and "t0" in tagging.of(full)
    assert tagging.apply({full.id: Change(add=("one",), remove=("t0",))}).refused == {}


def test_each_device_is_tagged_as_is_said_for_it(two: list[Device]) -> None:
    first, second = two
    Tag.objects.bulk_create(Tag(device=device, name="old") for device in two)
    tagging.apply({first.id: Change(add=("a",)), second.id: Change(add=("b",), remove=("old",))})
    assert (tagging.of(first), tagging.of(second)) == (["a", "old"], ["b"])
