"""How the kernel treats the memory of guests' processes: page size, and merging with others'.

Both settings belong to a process and pass to what it starts (prctl(2)), so whoever starts guests
makes them once for itself.
"""

from __future__ import annotations

import ctypes

PR_SET_THP_DISABLE = 41
PR_SET_MEMORY_MERGE = 67  # Linux 6.4


def set_for_guests(*, huge_pages: bool = False, mergeable: bool = True) -> list[str]:
    """Settings for this process and all it starts; a sentence for each the kernel does not have.

    A huge page holds a guest's few scattered bytes in 2 MiB. Mergeable offers a whole process to
    KSM, not only the guest's own memory (Documentation/admin-guide/mm/ksm.rst).
    """
    missing = []
    if not _set(PR_SET_THP_DISABLE, not huge_pages):
        missing.append("This kernel cannot keep huge pages out of guests: each takes more memory.")
    if not _set(PR_SET_MEMORY_MERGE, mergeable) and mergeable:
        missing.append(
            "This kernel cannot merge whole processes (PR_SET_MEMORY_MERGE, Linux 6.4 with KSM): "
            "each guest takes more memory."
        )
    return missing


def _set(option: int, value: bool) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(each) for each in (int(value), 0, 0, 0)]
    done: int = libc.prctl(option, *words)
    return done == 0
