"""Takes memory from the machine until it is ended, as another program would.

    var/venv/bin/python -m bench.hog 12

takes 12 GiB of random bytes, which neither merge nor compress, says so on a line, and keeps them.
Started by a test, it ends with it (its input is closed).
"""

from __future__ import annotations

import argparse
import os
import sys
import time

GIB = 1 << 30
_PIECE_BYTES = 4 << 20


def take(size_bytes: int) -> list[bytearray]:
    """So many bytes, each page of them its own."""
    seed = os.urandom(_PIECE_BYTES)
    pieces = []
    for number in range(size_bytes // _PIECE_BYTES):
        piece = bytearray(seed)
        # a page that differs from all others' in eight bytes cannot be merged
        for page in range(0, _PIECE_BYTES, 4096):
            piece[page : page + 8] = (number << 32 | page).to_bytes(8, "little")
        pieces.append(piece)
    return pieces


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
    print(f"holds {len(held) * _PIECE_BYTES / GIB:.2f} GiB after {took_s:.1f} s", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
