from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bench import page_rows, pages
from devices.models import Device, Operation

pytestmark = pytest.mark.django_db


def test_every_page_that_bench_times_answers(client: Client, anna: User) -> None:
    serial = page_rows.fill(200, anna.pk)
    cursor = client.get(pages.FIRST_PAGE).json()["next"]
    newest = Operation.objects.first()
    assert newest is not None
    timed = pages.paths(cursor=cursor, serial=serial, operation=newest.id)
    answers = {name: client.get(path) for name, path in timed.items()}
    refused = {name: a.status_code for name, a in answers.items() if a.status_code != 200}
    assert refused == {}
    # what finds nothing would be timed for nothing
    found_none = {name for name in pages.LISTS if b"<tbody>" not in answers[name].content}
    assert found_none == {"list, nothing found", "list, a serial"}  # there are not so many
    assert Device.objects.count() == 220
