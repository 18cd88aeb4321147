"""Which kernel modules to load, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from devices.firmware.errors import BuildFailed

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def dependencies(module: bytes) -> tuple[str, ...]:
    """The modules a `.ko` file says it needs, by name with underscores."""
    match = _DEPENDS.search(module)
    names = match[1].decode().split(",") if match else []
    return tuple(canonical(name) for name in names if name)


def canonical(name: str) -> str:
    """The kernel's one spelling of a module's name."""
    return name.replace("-", "_")


def load_order(wanted: Iterable[str], read: Callable[[str], bytes]) -> tuple[str, ...]:
    """The wanted modules, each after what it depends on; `read` gives a module's file.

    Raises `BuildFailed` for a circle.
    """
    order: list[str] = []
    open_names: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in open_names:
            raise BuildFailed(f"The kernel modules {', '.join(open_names)} depend on each other.")
        open_names.append(name)
        for needed in dependencies(read(name)):
            visit(needed)
        open_names.pop()
        order.append(name)

    for name in wanted:
        visit(canonical(name))
    return tuple(order)
