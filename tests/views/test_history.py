from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from devices.views.history import CHARTS

pytestmark = pytest.mark.django_db


def test_every_figure_of_the_fleet_has_its_key(client: Client, fleet_host: Any) -> None:
    page = client.get("/history").content.decode()
    for chart in CHARTS:
        assert chart.title in page
        for line in chart.lines:
            assert f'data-figure="{line.figure}"' in page
    assert 'data-window="hour"' in page
    assert 'aria-current="page">History' in page


def test_a_host_has_no_gateway(client: Client, fleet_host: Any) -> None:
    page = client.get("/history?series=here&window=day").content.decode()
    assert 'data-series="here" data-window="day"' in page
    assert "messages_per_s" not in page
    assert "ksm_profit_mib" in page


def test_what_is_not_there_falls_back(client: Client, fleet_host: Any) -> None:
    page = client.get("/history?series=<b>&window=year").content.decode()
    assert 'data-series="" data-window="hour"' in page


def test_a_stranger_logs_in_first(db: None) -> None:
    assert Client().get("/history").status_code == 302
