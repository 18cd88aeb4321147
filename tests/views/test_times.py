"""Times on pages say of which zone they are."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from django.template import Context, Template

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
IN_BERLIN = datetime(2026, 11, 21, 0, 3, 22, 456_789, timezone(timedelta(hours=1)))
OF_A_DAY = re.compile(r"""\|date:(['"])[^'"]*[Hi][^'"]*\1[^}]*}}(?! UTC\b)""")


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("clock", "23:03:22 UTC"),
        ("moment", "2026-11-20 23:03:22 UTC"),
        ("instant", "Nov 20 23:03:22.456 UTC"),
    ],
)
def test_a_time_says_its_zone_and_is_read_by_programs(form: str, shown: str) -> None:
    drawn = Template("{{ at|" + form + " }}").render(Context({"at": IN_BERLIN}))
    assert drawn == f'<time datetime="2026-11-20T23:03:22.456789+00:00">{shown}</time>'


def test_no_template_draws_a_time_without_its_zone() -> None:
    bare = {
        file.relative_to(TEMPLATES): found[0]
        for file in TEMPLATES.rglob("*.html")
        if (found := OF_A_DAY.search(file.read_text()))
    }
    assert bare == {}
