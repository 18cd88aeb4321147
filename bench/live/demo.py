"""`bin/bench live --demo N`: a page with N devices that do not exist, and that says so.

It has a web process, a database and a Redis of its own, on another port than any fleet. Nothing
asked of it starts anything: what would change the fleet is refused.
"""

from __future__ import annotations

import time

from bench.errors import BenchError
from bench.live.scene import scene

PORT = 8010


def show(*, devices: int, cores: int, port: int | None) -> None:
    """Serve the page until interrupted; says where and with which password."""
    with scene(port=port or PORT) as here:
        access = here.ask("bench.live.rows", str(devices), "page")
        here.start_web()
        feed = here.python(
            "feed", "-m", "bench.live.feed", "--devices", str(devices), "--cores", str(cores),
            "--loads", "wandering",
        )  # fmt: skip
        print(f"{devices:,} simulated devices: {here.url}")
        print(f"The wall, without a log-in: {here.url}{access['wall']}")
        said = f"Log in as admin with the password {access['password']}; Ctrl-C ends it."
        print(said, flush=True)
        while feed.poll() is None:
            time.sleep(0.5)
        raise BenchError(f"what feeds the demo has ended:\n{here.log()}")
