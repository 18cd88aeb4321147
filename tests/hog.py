"""Memory taken from the machine by another process, for real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fleet import CHECKOUT


@contextmanager
def hog(gib: float) -> Iterator[None]:
    """While this lasts, another process holds so many GiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.hog", str(gib)],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout and "holds" in process.stdout.readline()
        yield
    finally:
        process.communicate()
