from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from devices.errors import BadRequest
from devices.models import Tag
from devices.services import matching
from devices.services.matching import Filter
from devices.states import State
from tests.rows import a_device, a_firmware, a_host

WHOLE = Filter(
    search="a b&c", states=(State.ONLINE, State.OFF), hosts=("here", "there"),
    architectures=("arm64",), firmwares=("0.1.0",), slots=("a",), starts=("warm",),
    tags=("lab", "rack-2"), older_s=300, younger_s=7200,
)


def test_what_is_written_is_read_again() -> None:
    query = WHOLE.to_query()
    assert Filter.parse(QueryDict(query), strict=True) == WHOLE
    assert "older=5m&younger=2h" in query and "state=online&state=off" in query
    assert Filter().to_query() == "" and Filter.parse(QueryDict("")) == Filter()


def test_lists_commas_and_capitals_are_understood() -> None:
    given = {"state": ["online", "off,failed"], "slot": "A", "tag": "Lab", "older": 90, "page": "x"}
    assert Filter.parse(given, strict=True) == Filter(
        states=(State.ONLINE, State.OFF, State.FAILED), slots=("a",), tags=("lab",), older_s=90
    )
    assert Filter.parse({"search": "qemu"}) == Filter(search="qemu")


@pytest.mark.parametrize(
    "query",
    [
        "state=asleep", "slot=c", "start=lukewarm", "older=soon", "younger=-1", "older=99999999w",
        "q=%00", "host=" + "x" * 101, "q=" + "x" * 101, "tag=a%00",
        "host=" + ",".join(f"h{n}" for n in range(21)),
    ],
)
def test_nonsense_is_left_out_or_refused_by_name(query: str) -> None:
    given = QueryDict(query)
    lenient = Filter.parse(given)
    assert all(len(value) <= 100 and "\0" not in value for _, value in lenient.pairs())
    assert len(lenient.hosts) <= 20
    with pytest.raises(BadRequest, match=f"^{query.split('=')[0]} "):
        Filter.parse(given, strict=True)


@pytest.mark.parametrize(
    "given",
    [
        {"tag": ""}, {"tag": ","}, {"tag": "lab,"}, {"tag": ["lab", " "]}, {"tag": []},
        {"state": [""]}, {"host": " "}, {"search": " "}, {"q": ""}, {"search": []}, {"older": ""},
        {"younger": [" "]},
    ],
)  # fmt: skip
def test_a_value_that_is_given_and_empty_means_not_every_device(given: dict[str, Any]) -> None:
    assert Filter.parse(given) in (Filter(), Filter(tags=("lab",)))
    with pytest.raises(BadRequest, match=f"^{next(iter(given))} is empty"):
        Filter.parse(given, strict=True)


def test_what_is_not_given_is_not_empty() -> None:
    assert Filter.parse({"tag": None, "older": None}, strict=True) == Filter()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0w"), (1, "1s"), (90, "90s"), (300, "5m"), (7200, "2h"), (86400, "1d")],
)
def test_an_age_has_the_largest_unit_that_holds_it(seconds: int, text: str) -> None:
    assert matching.age(seconds) == text
    assert Filter.parse({"older": text}, strict=True).older_s == seconds


@pytest.fixture
def few(db: None) -> None:
    here, there = a_host("here"), a_host("there")
    old, new = a_firmware(version="1"), a_firmware(version="2", architecture="x64")
    now = timezone.now()

    def device(serial: str, **values: Any) -> None:
        tags = values.pop("tags", ())
        made = a_device(values.pop("host", here), serial=serial, **{"firmware": old, **values})
        Tag.objects.bulk_create(Tag(device=made, name=name) for name in tags)

    device("one", reported_slot="a", tags=["lab", "red"], reported_version="7.7")
    device("two", state=State.FAILED, reason="qemu ended", host=there)
    device("three", firmware=new, start="warm", tags=["lab"], reported_slot="b")
    device("four", start="warm", reported_start="cold", requested_at=now - timedelta(hours=2))
    device("gone", state=State.GONE, slot=None)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "one two three four"),
        ("state=gone", "gone"),
        ("state=online,failed", "one two three four"),
        ("state=failed&state=gone", "two gone"),
        ("host=there", "two"),
        ("host=here,there", "one two three four"),
        ("host=nowhere", ""),
        ("firmware=2", "three"),
        ("architecture=x64", "three"),
        ("architecture=arm64", "one two four"),
        ("slot=a", "one"),
        ("slot=a,b", "one three"),
        ("start=warm", "three"),
        ("start=cold", "one two four"),
        ("tag=lab", "one three"),
        ("tag=lab,red", "one"),
        ("older=1h", "four"),
        ("younger=1h", "one two three"),
        ("older=1h&younger=1h", ""),
        ("q=QEMU", "two"),
        ("q=THER", "two"),
        ("q=7.7", "one"),
        ("q=red", "one"),
        ("q=t", "two three"),
        ("q=%25", ""),
        ("state=online&tag=lab&slot=b", "three"),
    ],
)  # fmt: skip
def test_each_field_finds_what_it_says(query: str, found: str) -> None:
    rows = matching.queryset(Filter.parse(QueryDict(query), strict=True)).order_by("id")
    assert " ".join(rows.values_list("serial", flat=True)) == found
