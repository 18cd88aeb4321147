"""How often somebody may try to log in: counted in Redis, before a password is looked at.

A try costs 0.1 s of a core, and a password that may be guessed without end is none. Counted are a
name from one address, an address, and everybody; of IPv6 a network of 64 bits is one address. What
is refused is not counted, so a limit that was reached holds for a minute, not for as long as
somebody goes on.

Who uses up a limit in each minute keeps out whoever shares it: the last one is shared by all. So
tries from a browser in which that name has logged in before (`devices.services.known_browsers`) are
counted by themselves, under the name alone: nobody else can use those up.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv6Address, IPv6Network

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


def _counters(name: str, address: str, known: bool) -> list[str]:
    if known:
        return [f"fleet:tries:known:{_digest(name)}"]
    network = _network(address)
    who = _digest(f"{network}\n{name}")
    return [f"fleet:tries:name:{who}", f"fleet:tries:address:{network}", "fleet:tries:all"]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _network(address: str) -> str:
    try:
        return str(IPv6Network((IPv6Address(address).packed, 64), strict=False))
    except ValueError:
        return address


def begin(name: str, address: str, *, known: bool) -> bool:
    """Count a try; gives whether it is to be looked at. It always is while Redis is away.

    `known`: it comes from a browser in which that name has logged in before.
    """
    with bus.tolerant("tries"):
        limits = [WINDOW_S, OF_ONE_NAME, OF_ONE_ADDRESS, OF_ALL]
        return bool(bus.client().register_script(_BEGIN)(_counters(name, address, known), limits))
    return True


def succeeded(name: str, address: str, *, known: bool) -> None:
    """The try that was begun was right: it is not counted, nor are those before it by this name."""
    with bus.tolerant("tries"):
        bus.client().register_script(_SUCCEEDED)(_counters(name, address, known))
