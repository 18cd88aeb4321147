from __future__ import annotations

import httpx

from tests.api.served import ROWS, secret_of, served

BODY = {"version": "0.1.0", "uuid": "u", "slot": "a", "start": "cold", "uptime_s": 3.1}


def test_a_report_is_written_and_answered_while_redis_is_away() -> None:
    with served("fleetdash.gateway_asgi:application", arguments=["-v", "0"]) as gateway:
        gateway.python(ROWS + "devices(['no-1', 'no-2'], 'booting')")
        # one that waits: each report asks the host's worker for another round
        gateway.python(ROWS + "devices(['no-3'], 'requested')")
        gateway.stop(gateway.processes[0])
        for serial in ("no-1", "no-2"):
            answer = httpx.post(
                f"{gateway.url}/api/status/{serial}",
                json=BODY,
                headers={"authorization": f"Bearer {secret_of(serial)}"},
                # a device asks again after 5 s
                timeout=5,
            )
            assert answer.status_code == 200, gateway.log()
        found = gateway.rows("select state, count(*) from devices_device group by 1 order by 1")
        assert found == [("online", 2), ("requested", 1)]
        assert "Traceback" not in gateway.log()
