"""Settings read from the environment, failing loudly on a bad value."""

from __future__ import annotations

import os
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value", str, int, bool)

_values: dict[str, str] = {}


def values() -> dict[str, str]:
    """Every variable read so far with the value that holds, be it given or the usual one."""
    return dict(_values)


def text(name: str, default: str) -> str:
    """The value of environment variable `name`, or `default` when unset or empty."""
    return _held(name, os.environ.get(name) or default)


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number from `least` to `most`; raises ImproperlyConfigured otherwise."""
    value = os.environ.get(name)
    if not value:
        return _held(name, default)
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ImproperlyConfigured(
            f"{name}={value!r} is not a whole number from {least} to {most}; correct or unset it."
        )
    return _held(name, number)


def boolean(name: str, default: bool) -> bool:
    """`1/true/yes/on` or `0/false/no/off`; raises ImproperlyConfigured otherwise."""
    value = os.environ.get(name)
    if not value:
        return _held(name, default)
    lowered = value.lower()
    if lowered in {"1", "true", "yes", "on"}:
        return _held(name, True)
    if lowered in {"0", "false", "no", "off"}:
        return _held(name, False)
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no; use 1 or 0.")


def choice(name: str, default: str, *, of: tuple[str, ...]) -> str:
    """One of some words; raises ImproperlyConfigured otherwise."""
    value = os.environ.get(name) or default
    if value not in of:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(of)}; correct it.")
    return _held(name, value)


def words(name: str, default: str) -> list[str]:
    """A comma-separated list, empty items left out."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def _held(name: str, value: Value) -> Value:
    _values[name] = str(value)
    return value
