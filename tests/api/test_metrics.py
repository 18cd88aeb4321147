from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from devices.models import Device, Host, Token
from devices.services import bus, presence, tokens, usage
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "fleetdash.json"

pytestmark = pytest.mark.django_db


def client(scope: Token.Scope = Token.Scope.METRICS) -> Client:
    user, _ = User.objects.get_or_create(username="ada")
    _, key = tokens.create(user, "scrape", scope=scope)
    return Client(headers={"authorization": f"Bearer {key}"})


@pytest.fixture
def busy(redis_server: str) -> Host:
    """A host that has everything there is to measure."""
    host = a_host("here")
    sample = a_sample()
    sample["cpu"] |= {"iowait": 0.0, "steal": 0.25}
    sample |= {
        "psi": {"cpu_some": 12.5, "memory_some": 0.0, "memory_full": 0.0, "io_some": 0.0,
                "io_full": 0.0},
        "ksm": {"general_profit_bytes": -4096, "saved_bytes": 1 << 20, "pages_shared": 10,
                "pages_sharing": 20, "pages_to_scan": 100},
        "zram": [{"name": "zram0", "algorithm": "lz4", "size_bytes": 1 << 30,
                  "original_bytes": 300, "compressed_bytes": 100, "used_bytes": 120,
                  "ratio": 3.0}],
    }  # fmt: skip
    bus.publish_host_sample("here", sample)
    bus.publish_guests_sample("here", 1.0, [[0, 250, 2048, 1024], [1, 500, 1024, None]])
    bus.heartbeat("worker", "here")
    usage.keep_processes(
        "here", [{"name": "web", "cpu_s": 12.5, "rss_bytes": 4096, "threads": 3}]
    )
    presence.renew(["fd-000001"], 1.0, {}, (3, 40, 1000, 2000))
    return host


def values(text: str) -> dict[str, float]:
    """Each series' value, by its name and labels as they are written."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_it_is_opened_by_tokens_for_it_alone(redis_server: str) -> None:
    assert Client().get("/metrics").status_code == 401
    wrong = Client(headers={"authorization": "Bearer nonsense"}).get("/metrics")
    assert (wrong.status_code, wrong["www-authenticate"]) == (401, "Bearer")
    assert client(Token.Scope.READ).get("/metrics").status_code == 403
    assert client(Token.Scope.WALL).get("/metrics").status_code == 401
    assert client(Token.Scope.FULL).get("/metrics").status_code == 200
    scraper = client()
    assert scraper.get("/metrics").status_code == 200
    assert scraper.get("/api/v1/summary").status_code == 403
    refused = scraper.post("/metrics")
    assert (refused.status_code, refused["allow"]) == (405, "GET, HEAD")
    assert refused["content-type"] == "application/problem+json"


def test_it_says_what_hosts_devices_and_processes_measure(busy: Host) -> None:
    a_firmware()
    now = timezone.now()
    for ago_s in (10, 50, 70):
        a_device(busy, online_at=now - timedelta(seconds=ago_s))
    a_device(busy, state=State.FAILED)
    answer = client().get("/metrics")
    assert answer["content-type"].startswith("text/plain")
    found = values(answer.content.decode())
    assert found["fleetdash_devices{host=here,state=online}"] == 3
    assert found["fleetdash_devices{host=here,state=failed}"] == 1
    assert found["fleetdash_devices{host=here,state=off}"] == 0
    assert found["fleetdash_launches_per_second{}"] == pytest.approx(2 / 60)
    assert found["fleetdash_host_ksm_profit_bytes{host=here}"] == -4096
    assert found["fleetdash_host_zram_used_bytes{device=zram0,host=here}"] == 120
    assert found["fleetdash_host_pressure_ratio{host=here,resource=cpu,tasks=some}"] == 0.125
    assert found["fleetdash_guests_cpu_cores{host=here}"] == 0.75
    assert found["fleetdash_guests_rss_bytes{host=here}"] == 3072 * 1024
    assert found["fleetdash_guests_pss_bytes{host=here}"] == 1024 * 1024
    assert found["fleetdash_process_up{host=here,process=worker}"] == 1
    assert found["fleetdash_process_up{host=here,process=poller}"] == 0
    assert found["fleetdash_process_cpu_seconds_total{host=here,process=web}"] == 12.5
    assert found["fleetdash_gateway_messages_total{}"] == 40
    assert found["fleetdash_redis_up{}"] == 1


def test_there_are_few_series_and_no_device_is_named(busy: Host) -> None:
    for number in range(50):
        a_device(busy, serial=f"fd-{number:06d}")
    before = client().get("/metrics").content.decode()
    Device.objects.filter(serial="fd-000001").update(state=State.OFF)
    after = client().get("/metrics").content.decode()
    assert "fd-0000" not in after
    assert values(before).keys() == values(after).keys()
    assert len(values(after)) < 150


def test_a_silent_host_and_a_redis_that_is_away_are_said(busy: Host) -> None:
    a_host("silent")
    assert values(client().get("/metrics").content.decode())["fleetdash_host_up{host=silent}"] == 0
    nowhere = redis.Redis.from_url("unix:///nonexistent/redis.sock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus, "client", lambda: nowhere)
        found = values(client().get("/metrics").content.decode())
    assert found["fleetdash_redis_up{}"] == 0
    assert found["fleetdash_host_up{host=here}"] == 0
    assert not any(name.startswith("fleetdash_host_load1") for name in found)


def test_openmetrics_is_spoken_to_those_who_ask(busy: Host) -> None:
    answer = client().get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer["content-type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_every_metric_of_the_dashboard_exists(busy: Host) -> None:
    a_firmware()
    there = {name.partition("{")[0] for name in values(client().get("/metrics").content.decode())}
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    asked += [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    named = {name for expr in asked for name in re.findall(r"fleetdash_\w+", expr)}
    assert len(named) > 25
    assert named <= there
