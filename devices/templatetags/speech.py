"""Names of the program as people say them."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def spoken(name: str) -> str:
    """A state's or a kind's name in words: `powering_off` as "powering off"."""
    return str(name).replace("_", " ")


@register.filter
def grouped(number: int) -> str:
    """A whole number with its thousands apart: 12000 as "12,000"."""
    return f"{number:,}"
