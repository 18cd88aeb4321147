from __future__ import annotations

from typing import Any

import pytest
import redis

from devices.services import bus

pytestmark = pytest.mark.usefixtures("redis_server")


def test_a_console_keeps_its_last_64_kib() -> None:
    lines = [b"%06d\n" % n for n in range(20_000)]
    for first in range(0, len(lines), 500):
        bus.append_console({"fd-1": b"".join(lines[first : first + 500])})
    kept = bus.console("fd-1")
    assert len(kept) == bus.CONSOLE_BYTES
    assert kept.endswith(b"019999\n")
    assert bus.client().strlen(bus.console_channel("fd-1")) <= 1.5 * bus.CONSOLE_BYTES
    assert bus.client().ttl(bus.console_channel("fd-1")) > 0


def test_cores_survive_the_way_through_redis() -> None:
    listener = bus.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(bus.cores_channel("here"))
    listener.get_message(timeout=1)
    bus.publish_cores("here", 12.5, bytes([0, 128, 255]))
    message = listener.get_message(timeout=2)
    assert message is not None
    assert bus.unpack_cores(message["data"]) == (12.5, bytes([0, 128, 255]))
    listener.close()


def test_a_redis_that_is_away_breaks_nothing(settings: Any) -> None:
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    bus.client.cache_clear()
    bus.publish_changes([(1, "online")], [1])
    assert bus.host_sample("here") is None
    assert bus.console("fd-1") == b""
    with pytest.raises(redis.RedisError):
        bus.last_heard(["fd-1"])
    bus.client.cache_clear()


def test_a_console_is_kept_for_a_day_after_its_last_word() -> None:
    bus.append_console({"fd-1": b"first"})
    bus.client().expire(bus.console_channel("fd-1"), 5)
    bus.append_console({"fd-1": b"last"})
    assert bus.client().ttl(bus.console_channel("fd-1")) > 1000
    assert bus.console("fd-1") == b"firstlast"
