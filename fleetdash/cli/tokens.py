"""Commands about one's own tokens: `token ls`, `token create`, `token revoke`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json, number

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

SCOPES = ("full", "read", "metrics")


def register(commands: Commands) -> None:
    """Add these commands."""
    token = commands.add_parser("token", help="list, make and revoke your tokens")
    actions = token.add_subparsers(dest="action", required=True, metavar="ACTION")
    ls = actions.add_parser("ls", help="list your tokens")
    add_json(ls)
    ls.set_defaults(run=_list)
    create = actions.add_parser("create", help="make a token; its key is printed this once")
    create.add_argument("name", metavar="NAME", help="what it is for")
    create.add_argument(
        "--scope", choices=SCOPES, default="full",
        help="full: all that you can; read: look only; metrics: /metrics alone (default full)",
    )  # fmt: skip
    create.add_argument(
        "--days", type=days, metavar="N", help="how long it works; for ever when left out"
    )
    add_json(create)
    create.set_defaults(run=_create)
    revoke = actions.add_parser("revoke", help="end a token")
    revoke.add_argument("token", type=number, metavar="ID")
    add_json(revoke)
    revoke.set_defaults(run=_revoke)


def days(value: str) -> int:
    """A number of days, from 1 to 3650."""
    if value.isascii() and value.isdigit() and len(value) < 5 and 1 <= int(value) <= 3650:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not a number of days from 1 to 3650")


def _list(fleet: Fleet, given: argparse.Namespace) -> int:
    tokens = fleet.get("tokens")["tokens"]
    if given.as_json:
        text.print_json(tokens)
        return 0
    rows = [
        (t["id"], t["name"], t["scope"], text.moment(t["created_at"]),
         text.moment(t["expires_at"]) if t["expires_at"] else "never")
        for t in tokens
    ]  # fmt: skip
    print(text.columns(("ID", "NAME", "SCOPE", "MADE (UTC)", "EXPIRES (UTC)"), rows))
    return 0


def _create(fleet: Fleet, given: argparse.Namespace) -> int:
    wish: dict[str, Any] = {"name": given.name, "scope": given.scope}
    if given.days is not None:
        wish["expires_in_days"] = given.days
    token = fleet.post("tokens", wish)
    if given.as_json:
        text.print_json(token)
        return 0
    print(token["key"])
    print(f"Token {token['id']}: keep the key, it cannot be shown again.", file=sys.stderr)
    return 0


def _revoke(fleet: Fleet, given: argparse.Namespace) -> int:
    fleet.delete(f"tokens/{given.token}")
    if given.as_json:
        text.print_json({"id": given.token, "revoked": True})
    else:
        print(f"Token {given.token} opens nothing any more.")
    return 0
