"""What ends a bench before its time."""

from __future__ import annotations


class BenchError(Exception):
    """Why a bench cannot go on, as a sentence; what it has measured is kept and printed."""
