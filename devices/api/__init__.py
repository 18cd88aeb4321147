"""The HTTP API: parse, call one service, answer."""

from __future__ import annotations

from devices.api.app import api

__all__ = ["api"]
