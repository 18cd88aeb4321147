"""Guests as processes, tested on values where possible and on real qemu where not."""

from __future__ import annotations
