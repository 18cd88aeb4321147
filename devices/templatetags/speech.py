"""Names of the program as people say them."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def spoken(name: str) -> str:
    """A state's or a kind's name in words: `powering_off` as "powering off"."""
    return str(name).replace("_", " ")
