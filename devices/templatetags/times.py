"""Moments as pages show them: of the one zone all of them are in, which is said beside each."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils import dateformat
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


def _drawn(at: datetime, shown: str) -> SafeString:
    return format_html('<time datetime="{}">{} UTC</time>', at.isoformat(), shown)


@register.filter
def clock(at: datetime) -> SafeString:
    """Of what was today: "14:03:22 UTC"."""
    at = at.astimezone(UTC)
    return _drawn(at, f"{at:%H:%M:%S}")


@register.filter
def moment(at: datetime) -> SafeString:
    """Of what was on any day: "2026-11-21 14:03:22 UTC"."""
    at = at.astimezone(UTC)
    return _drawn(at, f"{at:%Y-%m-%d %H:%M:%S}")


@register.filter
def instant(at: datetime) -> SafeString:
    """Of what followed closely on another, to the millisecond: "Nov 21 14:03:22.456 UTC"."""
    at = at.astimezone(UTC)
    return _drawn(at, dateformat.format(at, "M j H:i:s.") + f"{at.microsecond // 1000:03}")
