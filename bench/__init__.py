"""Measures this machine through the running system, beside the raw limit."""

from __future__ import annotations
