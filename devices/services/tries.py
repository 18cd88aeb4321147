"""How often somebody may try to log in: counted in Redis, before a password is looked at.

A try costs 0.1 s of a core, and a password that may be guessed without end is none. Counted are a
name from one address, an address, and everybody; behind a proxy all come from one address. What is
refused is not counted, so nobody keeps others out by going on.
"""

from __future__ import annotations

import hashlib

from devices.services import bus

WINDOW_S = 60
OF_ONE_NAME = 10
OF_ONE_ADDRESS = 30
OF_ALL = 120

_BEGIN = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) >= tonumber(ARGV[i + 1]) then return 0 end
end
for _, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[1]) end
end
return 1
"""
_SUCCEEDED = """
redis.call('DEL', KEYS[1])
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECR', KEYS[i]) end
end
"""


def _counters(name: str, address: str) -> list[str]:
    who = hashlib.sha256(f"{address}\n{name}".encode(errors="replace")).hexdigest()
    return [f"fleet:tries:name:{who}", f"fleet:tries:address:{address}", "fleet:tries:all"]


def begin(name: str, address: str) -> bool:
    """Count a try; gives whether it is to be looked at. It always is while Redis is away."""
    with bus.tolerant("tries"):
        limits = [WINDOW_S, OF_ONE_NAME, OF_ONE_ADDRESS, OF_ALL]
        return bool(bus.client().register_script(_BEGIN)(_counters(name, address), limits))
    return True


def succeeded(name: str, address: str) -> None:
    """The try that was begun was right: it is not counted, nor are those before it by this name."""
    with bus.tolerant("tries"):
        bus.client().register_script(_SUCCEEDED)(_counters(name, address))
