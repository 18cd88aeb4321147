"""`bin/bench NAME`: one measurement, as a table for people or JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    benches = parser.add_subparsers(dest="name", required=True)

    launch = benches.add_parser("launch", help="devices a second, beside the raw loop")
    launch.add_argument("--count", type=int, default=10)

    idle = benches.add_parser("idle", help="what the control plane and idle devices cost")
    idle.add_argument("--count", type=int, default=10)
    idle.add_argument("--seconds", type=float, default=60)
    idle.add_argument("--page", action="store_true", help="with one page open in a browser")

    pages = benches.add_parser("pages", help="how long pages take to answer")
    pages.add_argument("--rounds", type=int, default=50)

    for each in (launch, idle, pages):
        each.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    result = _run(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        _print(result)


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.name == "launch":
        from bench import launch

        return launch.run(count=arguments.count)
    if arguments.name == "idle":
        from bench import idle

        password = _password() if arguments.page else None
        return idle.run(count=arguments.count, seconds=arguments.seconds, page_password=password)
    from bench import pages

    return pages.run(rounds=arguments.rounds, password=_password())


def _password() -> str:
    password = os.environ.get("FLEETDASH_ADMIN_PASSWORD")
    if not password:
        raise SystemExit("bench: set FLEETDASH_ADMIN_PASSWORD to the admin's password")
    return password


def _print(values: dict[str, Any], indent: str = "") -> None:
    width = max((len(key) for key in values), default=0)
    for key, value in values.items():
        if isinstance(value, dict):
            print(f"{indent}{key}")
            _print(value, indent + "  ")
        else:
            print(f"{indent}{key.replace('_', ' '):<{width}}  {value}")


if __name__ == "__main__":
    main()
