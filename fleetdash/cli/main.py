"""The command line: its commands, and their statuses: 0 done, 1 not done, 2 asked wrongly."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from fleetdash.cli import (
    acting,
    adding,
    address,
    completion,
    events,
    facts,
    history,
    host,
    looking,
    operations,
    tokens,
)
from fleetdash.cli.errors import CliError

# in the order in which help shows them; each adds its commands with `register`, whose defaults are
# `run` (fleet, given → status), or `alone` (given → status) where no fleet is needed, and `check`
PARTS = (looking, adding, acting, operations, facts, host, history, events, tokens, completion)


def parser() -> argparse.ArgumentParser:
    """The arguments `bin/fleet` takes."""
    top = argparse.ArgumentParser(
        prog="fleet",
        description="Control a fleet of devices.",
        epilog="FLEETDASH_URL and FLEETDASH_TOKEN say which fleet; else it is this machine's. "
        "The status is 0 when it is done, 1 when it is not, 2 when it was asked wrongly.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for part in PARTS:
        part.register(commands)
    return top


def main(argv: Sequence[str]) -> int:
    """Run one command; gives its status."""
    arguments = parser()
    if not _is_text(argv):
        arguments.error("an argument is not text in UTF-8")
    given = arguments.parse_args(argv)
    try:
        if "check" in given:
            given.check(given)
    except argparse.ArgumentTypeError as error:
        arguments.error(str(error))
    try:
        return _run(given)
    except CliError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return error.ends_with
    except BrokenPipeError:
        # whoever read the output has had enough; Python must not complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _is_text(argv: Sequence[str]) -> bool:
    try:
        "".join(argv).encode()
    except UnicodeEncodeError:  # bytes that are none; nothing could be asked with them
        return False
    return True


def _run(given: argparse.Namespace) -> int:
    if "alone" in given:
        return int(given.alone(given))
    where = address.find(os.environ)
    # after the cheap refusals: this takes most of the start-up time
    from fleetdash.cli.client import Fleet

    return int(given.run(Fleet(where), given))
