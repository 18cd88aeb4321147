"""The HTTP API: parse, call one service, answer."""

from __future__ import annotations
