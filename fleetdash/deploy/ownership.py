"""Gives what lies in a folder to the user the folder belongs to."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def give(folder: Path, uid: int, gid: int) -> None:
    """Make everything below a folder this user's and group's; raises OSError.

    A link is neither followed nor given away, nor is a file that has another name: whoever may
    write to the folder chose where it leads.
    """
    for _, folders, files, descriptor in os.fwalk(folder, onerror=_raise):
        for name in (*folders, *files):
            # what runs may be removing files meanwhile
            with contextlib.suppress(FileNotFoundError):
                _give(name, descriptor, uid, gid)


def _give(name: str, folder: int, uid: int, gid: int) -> None:
    opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(opened)
        is_file = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not (is_file or stat.S_ISDIR(found.st_mode)):
            return
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(f"/proc/self/fd/{opened}", uid, gid)
    finally:
        os.close(opened)


def _raise(error: OSError) -> None:
    raise error
