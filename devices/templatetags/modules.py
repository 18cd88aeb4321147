"""Tells the browser of all modules of the page at once."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()
_IMPORTED = re.compile(r'\b(?:from|import)\s*"\./([\w-]+\.js)"')


@register.simple_tag
def module_preloads() -> SafeString:
    """Links to what main.js imports, so that the browser does not ask for one after the other.

    Without them it learns of each from the one before, seven deep: as many ways to the server.
    """
    # where they are collected: readable for the web process, and of one version with the names
    names = imported(settings.STATIC_ROOT / "js", "main.js")
    links = ((static(f"js/{name}"),) for name in names)
    return format_html_join("\n", '<link rel="modulepreload" href="{}">', links)


@functools.cache
def imported(folder: Path, main: str) -> tuple[str, ...]:
    """The modules that `main` imports, directly or not, each once; `main` is not among them.

    None where nothing was collected: a page does without them.
    """
    found = {main: None}
    for name in (waiting := [main]):
        script = folder / name
        text = script.read_text() if script.exists() else ""
        new = [each for each in _IMPORTED.findall(text) if each not in found]
        found.update(dict.fromkeys(new))
        waiting += dict.fromkeys(new)
    return tuple(found)[1:]
