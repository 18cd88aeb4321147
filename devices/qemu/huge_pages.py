"""Huge pages are given up for guests: one written byte would cost 2 MiB."""

from __future__ import annotations

import ctypes
from functools import cache

_PR_SET_THP_DISABLE = 41  # linux/prctl.h


@cache
def forgo_huge_pages() -> bool:
    """Give this process, and all it starts from now on, ordinary pages only; whether that worked.

    The setting goes with the memory map through fork and exec (prctl(2)), so a guest has it from
    its first page on without a program in between.
    """
    status: int = ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    return status == 0
