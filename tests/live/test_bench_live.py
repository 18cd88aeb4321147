"""`bin/bench live`, small: the whole path with real processes, and what the demo refuses."""

from __future__ import annotations

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.api.served import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(120)


def _visitor() -> urllib.request.OpenerDirector:
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    return urllib.request.build_opener(jar)


def test_a_small_fleet_reaches_its_clients_and_comes_back_with_redis() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "live", "--clients", "6", "--devices", "300", "--cores",
         "8", "--stalled", "2", "--seconds", "4", "--json"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (done.returncode, found["problems"]) == (0, []), done.stderr
    values = found["values"]
    assert values["core_frames"]["received_by_a_client"] >= 0.3 * values["core_frames"]["published"]
    assert values["bytes_a_client_per_s"]["html"] > 0
    assert values["publish_to_receipt_ms"]["wall"]["p50"] > 0
    assert values["cpu_percent_of_a_core"]["web"] > 0
    assert len(found["rows"]) == 5


def test_the_demo_says_that_it_is_simulated_and_lets_nobody_change_it() -> None:
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "bench", "live", "--demo", "50", "--port", str(port)],
        cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        url = demo.stdout.readline().split()[-1]
        wall = demo.stdout.readline().split()[-1]
        found = re.search(r"password (\S+);", demo.stdout.readline())
        assert found
        with _visitor().open(wall, timeout=20) as screen:
            assert b"none of these devices exists" in screen.read()
        browser = _visitor()

        def post(path: str, **values: str) -> str:
            form = browser.open(f"{url}/login/", timeout=20).read().decode()
            token = re.search(r'csrf[^>]*"([A-Za-z0-9]{32,})"|X-CSRFToken": "(\w+)"', form)
            assert token
            values["csrfmiddlewaretoken"] = token[1] or token[2]
            request = urllib.request.Request(
                url + path, urllib.parse.urlencode(values).encode(), {"Referer": url}
            )
            answer: str = browser.open(request, timeout=20).read().decode()
            return answer

        page = post("/login/", username="admin", password=found[1])
        assert "data-simulated" in page and "none of these devices exists" in page
        with pytest.raises(urllib.error.HTTPError) as refused:
            post("/devices/add", count="1")
        with refused.value as answer:
            assert answer.code == 409 and b"simulated" in answer.read()
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=30)
    assert demo.returncode == 130
