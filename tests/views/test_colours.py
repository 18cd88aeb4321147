"""Words can be read in each theme, and the system's choice of one is no lesser theme."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

SHEETS = settings.BASE_DIR / "static" / "css"
BLOCKS = {
    "dark": ':root, :root[data-theme="dark"] {',
    "light": ':root[data-theme="light"] {',
    "auto": ":root:not([data-theme]) {",
}
WORDS = (
    ("ink", "paper"), ("muted", "paper"), ("alarm-ink", "paper"), ("state-failed", "paper"),
    ("on-alarm", "alarm"), ("on-signal", "signal"),
)  # fmt: skip
AA = 4.5  # WCAG 2.2, 1.4.3


def _colours(theme: str) -> dict[str, str]:
    """The tokens of a theme; what the automatic one leaves out is as in the dark one."""
    sheet = (SHEETS / "tokens.css").read_text()
    block = sheet.partition(BLOCKS[theme])[2].partition("}")[0]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    return (_colours("dark") if theme == "auto" else {}) | found


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", BLOCKS)
def test_words_stand_out_from_what_they_are_written_on(theme: str) -> None:
    colours = _colours(theme)
    found = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in WORDS}
    assert {pair: ratio for pair, ratio in found.items() if ratio < AA} == {}


def test_a_light_system_is_given_what_who_chooses_light_is_given() -> None:
    assert _colours("auto") == _colours("light")
    # a rule for a theme beside its tokens would miss those who have not chosen one
    sheets = [each.name for each in SHEETS.glob("*.css") if "data-theme" in each.read_text()]
    assert sheets == ["tokens.css"]


def test_the_word_of_the_connection_is_written_in_a_colour_for_words() -> None:
    rules = re.findall(r"(?<![\w-])color: var\(--alarm\)", (SHEETS / "parts.css").read_text())
    assert rules == []
