"""What a device that is gone leaves on its console: less than a living one, and not for as long."""

from __future__ import annotations

from collections.abc import Sequence

from devices.services import bus

KEPT_BYTES = 8 * 1024
KEPT_S = 3600

# where it was done before the time goes on; a word that came late begins it anew
_SHORTEN = """
for _, key in ipairs(KEYS) do
  if redis.call('TTL', key) > tonumber(ARGV[2]) then
    local last = redis.call('GETRANGE', key, -tonumber(ARGV[1]), -1)
    redis.call('SET', key, last, 'EX', ARGV[2])
  end
end
"""
_AT_ONCE = 250


def shorten(serials: Sequence[str]) -> None:
    """Keep but the end of these devices' consoles, and for an hour."""
    with bus.tolerant("last words"):
        script = bus.client().register_script(_SHORTEN)
        for first in range(0, len(serials), _AT_ONCE):
            keys = [bus.console_channel(each) for each in serials[first : first + _AT_ONCE]]
            script(keys, [KEPT_BYTES, KEPT_S])


def known() -> set[str]:
    """The serials of all devices of whose console something is kept; none while Redis is away."""
    prefix = bus.console_channel("")
    with bus.tolerant("last words"):
        keys = bus.client().scan_iter(f"{prefix}*", count=1000)
        return {key.decode(errors="replace").removeprefix(prefix) for key in keys}
    return set()
