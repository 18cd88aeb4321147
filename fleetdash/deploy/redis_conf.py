"""The private Redis: a unix socket in a closed folder, no port, nothing ever evicted."""

from __future__ import annotations

import os
from pathlib import Path

# sun_path in unix(7) holds 108 bytes, the closing zero included
LONGEST_SOCKET_PATH = 107


def redis_conf(*, folder: Path) -> str:
    """Configuration of a redis-server whose socket and data lie in `folder`.

    Queues are appended to a file and flushed once a second: a restart loses at most a second of
    them, and what was asked of the fleet is in the database anyway.
    """
    quoted = f'"{folder}"'
    return "\n".join(
        [
            "port 0",
            f'unixsocket "{folder / "redis.sock"}"',
            "unixsocketperm 700",
            f"dir {quoted}",
            "daemonize no",
            "databases 1",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
            'save ""',
            "appendonly yes",
            "appendfsync everysec",
            "auto-aof-rewrite-min-size 16mb",
            "no-appendfsync-on-rewrite yes",
            "client-output-buffer-limit pubsub 32mb 8mb 60",
            "tcp-backlog 511",
            "loglevel notice",
            'logfile ""',
            "",
        ]
    )


def socket_path_fits(folder: Path) -> bool:
    """Whether a socket in this folder has a path the kernel takes."""
    return len(os.fsencode(folder / "redis.sock")) <= LONGEST_SOCKET_PATH
