"""What devices say over their sockets, written down: that they live, how they feel, how much.

A device is remembered from its report on (`devices.services.reporting`), of which the database
knows; what its socket says only renews what is there. So a word that is written a moment after its
device was forgotten brings nothing of it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from devices.services import bus
from devices.services.health import POINTS, Report
from devices.services.traffic import COUNTERS

# in one step: nobody forgets a device between the question whether it is there and the writing
_RENEW = """
local at, counters = ARGV[1], tonumber(ARGV[4])
for i = 1, counters do
  redis.call('HINCRBY', KEYS[3], ARGV[3 + 2 * i], ARGV[4 + 2 * i])
end
redis.call('HSET', KEYS[3], 'at', at)
for i = 5 + 2 * counters, #ARGV, 3 do
  local serial = ARGV[i]
  if redis.call('ZSCORE', KEYS[1], serial) then
    redis.call('ZADD', KEYS[1], at, serial)
    if ARGV[i + 1] ~= '' then
      redis.call('HSET', KEYS[2], serial, ARGV[i + 1])
      redis.call('RPUSH', ARGV[2] .. serial, ARGV[i + 2])
      redis.call('LTRIM', ARGV[2] .. serial, ARGV[3], -1)
    end
  end
end
"""


def renew(
    serials: Sequence[str],
    at: float,
    health: Mapping[str, Report],
    counted: Sequence[int] = (0,) * len(COUNTERS),
) -> None:
    """Note that devices were heard from at Unix time `at`; those not remembered are left out.

    `health` is what some of them said of themselves; `counted` is what the gateway counted since it
    last wrote (`devices.services.traffic.Count.take`).
    """
    arguments: list[Any] = [at, bus.health_ring_key(""), -POINTS, len(COUNTERS)]
    for name, count in zip(COUNTERS, counted, strict=True):
        arguments += (name, count)
    for serial in serials:
        report = health.get(serial)
        arguments += (serial, report.whole, report.point) if report else (serial, b"", b"")
    with bus.tolerant("presence"):
        client = bus.client()
        keys = [bus.PRESENCE, bus.HEALTH, bus.TRAFFIC]
        client.register_script(_RENEW)(keys, arguments)
