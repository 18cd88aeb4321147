"""Takes memory from the machine until it is ended, as another program would.

    var/venv/bin/python -m bench.hog 12

takes 12 GiB, says so on a line, and keeps them until its input is closed.
"""

from __future__ import annotations

import argparse
import mmap
import sys
import time

GIB = 1 << 30
# of <linux/mman.h>; since Linux 5.14
MADV_POPULATE_WRITE = 23


def take(size_bytes: int) -> mmap.mmap:
    """So many bytes, every page of them there at once, in huge ones where the kernel has them."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    held = mmap.mmap(-1, size_bytes, flags=flags)
    try:
        held.madvise(mmap.MADV_HUGEPAGE)
        held.madvise(MADV_POPULATE_WRITE)
    except OSError:
        held.close()
        return mmap.mmap(-1, size_bytes, flags=flags | mmap.MAP_POPULATE)
    return held


def main() -> None:
    """Take, say so, hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.hog", description=__doc__)
    parser.add_argument("gib", type=float)
    size_bytes = int(parser.parse_args().gib * GIB)
    # the kernel shall take this before anything else
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    began = time.monotonic()
    held = take(size_bytes)
    took_s = time.monotonic() - began
    print(f"holds {len(held) / GIB:.2f} GiB after {took_s:.1f} s", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
