"""Pages: parse, call one service, render."""

from __future__ import annotations
