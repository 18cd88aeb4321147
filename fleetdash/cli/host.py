"""`fleet host`: what a machine is set to, setting it, and forgetting one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.errors import CliError

if TYPE_CHECKING:
    # httpx takes most of the start-up time
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

POLL_S = 0.3
# taking a swap away reads all of it back
DONE_WITHIN_S = 150.0
MIB = 1 << 20
LEVERS = ("ksm", "zram", "swappiness")
HELP = """\
  fleet host                             how the machine's levers are
  fleet host NAME                        of that machine, where there are several
  fleet host set ksm auto|off|leave      merging of equal memory
  fleet host set ksm on [PAGES [MS]]     at a fixed pace: so many pages, then so long a rest
  fleet host set zram SIZE [ALGORITHM]   a swap in compressed memory: 8G, 50%
  fleet host set zram off                takes it away
  fleet host set swappiness 0-200
  fleet host forget NAME                 a machine that was renamed or will not come back"""
USUAL_PAGES, USUAL_SLEEP_MS = 1000, 20


def register(commands: Commands) -> None:
    """Make `fleet host` known to the parser."""
    host = commands.add_parser(
        "host", help="say how a machine's levers are, and set them; forget a machine",
        epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    host.add_argument("words", nargs="*", metavar="[NAME] [set LEVER VALUE...] | forget NAME")
    host.add_argument("--yes", action="store_true", help="change the machine without asking")
    host.add_argument("--json", action="store_true", dest="as_json", help="for programs")
    host.set_defaults(run=run, check=check)


def check(given: argparse.Namespace) -> None:
    """Understand the words: the machine's name, the lever to be set and to what, each maybe none.

    Raises ArgumentTypeError for what makes no sense.
    """
    words = list(given.words)
    given.forget = words[0] == "forget" if words else False
    if given.forget and len(words) != 2:
        raise _not_understood("To forget a machine, name it.")
    words = words[1:] if given.forget else words
    given.name = "" if not words or words[0] == "set" else words.pop(0)
    given.lever, given.wish = "", {}
    if not words:
        return
    if words[0] != "set" or len(words) < 3:
        raise _not_understood("This is not understood.")
    given.lever, given.wish = words[1], wish_of(words[1], words[2:])


def run(fleet: Fleet, given: argparse.Namespace) -> int:
    """Show the levers, set one and wait until it is done, or forget a machine."""
    if given.forget:
        return _forget(fleet, given.name, given.yes)
    if not given.lever:
        names = [given.name] if given.name else _names(fleet)
        return _show(fleet, names, as_json=given.as_json)
    name = given.name or _only(fleet)
    _ask_first(fleet, name, given.lever, given.yes)
    return _set(fleet, name, given.lever, given.wish, as_json=given.as_json)


def wish_of(lever: str, values: list[str]) -> dict[str, Any]:
    """What to ask the API for; raises ArgumentTypeError."""
    if lever not in LEVERS:
        raise argparse.ArgumentTypeError(
            f"There is no lever {lever!r}; there are {', '.join(LEVERS)}."
        )
    first, *more = values
    takes = {"on": 2}.get(first, 0) if lever == "ksm" else int(lever == "zram" and first != "off")
    if len(more) > takes:
        raise _not_understood(f"{more[takes][:40]!r} is too much.")
    if lever == "swappiness":
        return {"value": _number(first)}
    if lever == "zram":
        return {"size": first, "algorithm": more[0] if more else ""}
    if first != "on":
        return {"mode": first}
    numbers = [_number(value) for value in more]
    pages, sleep_ms = [*numbers, *(USUAL_PAGES, USUAL_SLEEP_MS)[len(numbers) :]]
    return {"mode": "on", "pages_to_scan": pages, "sleep_ms": sleep_ms}


def _not_understood(sentence: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{sentence} There are:\n{HELP}")


def _number(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not a whole number.")


def _names(fleet: Fleet) -> list[str]:
    return [str(host["name"]) for host in fleet.get("hosts")["hosts"]]


def _only(fleet: Fleet) -> str:
    names = _names(fleet)
    if len(names) != 1:
        raise CliError(
            f"Say which machine: fleet host NAME set …, one of {', '.join(names)}."
            if names else "No machine has registered yet: run bin/up there."
        )
    return names[0]


def _path(name: str) -> str:
    from urllib.parse import quote

    return f"hosts/{quote(name, safe='')}"


def _levers(name: str) -> str:
    return f"{_path(name)}/levers"


def _ask_first(fleet: Fleet, name: str, lever: str, yes: bool) -> None:
    """The caveat once, and whether the machine is to be changed; raises CliError when not."""
    if lever == "ksm" and (caveat := fleet.get(_levers(name))["caveat"]):
        print(caveat + "\n", file=sys.stderr)
        fleet.put("hosts/caveats/ksm", None)
    if not yes:
        _agree(f"This changes the machine {name}, not only fleetdash", f"Set {lever}?")


def _agree(what: str, question: str) -> None:
    """Ask on the terminal; raises CliError for a no, and where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise CliError(f"{what}: say so with --yes.")
    print(f"{what}. {question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("Nothing was changed.")


def _forget(fleet: Fleet, name: str, yes: bool) -> int:
    if not yes:
        _agree(
            f"What is kept of {name}, of its history and its devices that are gone, is deleted",
            f"Forget {name}?",
        )
    fleet.delete(_path(name))
    print(text.clean(f"{name} is forgotten."))
    return 0


def _set(fleet: Fleet, name: str, lever: str, wish: dict[str, Any], *, as_json: bool) -> int:
    fleet.put(f"{_levers(name)}/{lever}", wish)
    until = time.monotonic() + DONE_WITHIN_S
    while True:
        found = next(e for e in fleet.get(_levers(name))["levers"] if e["name"] == lever)
        if not found["pending"]:
            break
        if time.monotonic() > until:
            raise CliError(f"The worker of {name} has not done it yet; fleet host shows when.")
        time.sleep(POLL_S)
    if as_json:
        _print_json(found)
    asked = found["asked"]
    if asked["state"] == "failed":
        raise CliError(f"{lever} was not changed: {asked['problem']}")
    if not as_json:
        print(text.clean(f"{lever}: {asked['was']} → {asked['now']}"))
    return 0


def _show(fleet: Fleet, names: list[str], *, as_json: bool) -> int:
    found = [fleet.get(_levers(name)) for name in names]
    if as_json:
        _print_json(found)
        return 0
    rows = [
        (host["host"], each["name"], _words(each["name"], each["present"]), effect(each),
         _before(each), each["refused"] or ("being changed" if each["pending"] else "-"))
        for host in found for each in host["levers"]
    ]  # fmt: skip
    print(text.columns(("HOST", "LEVER", "PRESENT", "EFFECT NOW", "BEFORE", "NOTE"), rows))
    return 0


def _words(lever: str, present: dict[str, Any] | None) -> str:
    return "-" if present is None else _PRESENT[lever](present)


def _before(lever: dict[str, Any]) -> str:
    before = lever["before"]
    return "-" if before is None else _PRESENT[lever["name"]](before)


def _ksm(present: dict[str, Any]) -> str:
    running = {0: "stopped", 1: "merging", 2: "unmerging"}.get(present["run"], "?")
    mode = f"{present['mode']}, " if present.get("mode") else ""
    return f"{mode}{running}, {present['pages_to_scan']} pages / {present['sleep_ms']} ms"


def _zram(present: dict[str, Any]) -> str:
    if not present["size_bytes"]:
        return "none"
    size = present["size_bytes"]
    shown = text.gib(size) if size >= text.GIB else f"{size / MIB:,.0f} MiB"
    return f"{shown} {present.get('algorithm', '')}".strip()


_PRESENT: dict[str, Callable[[dict[str, Any]], str]] = {
    "ksm": _ksm, "zram": _zram, "swappiness": lambda present: str(present["value"]),
}  # fmt: skip


def effect(lever: dict[str, Any]) -> str:
    """What a lever does now, in a few words; `-` when nothing is known."""
    found = lever["effect"]
    if not found:
        return "-"
    if lever["name"] == "ksm":
        profit = found["profit_bytes"]
        if profit is None:
            return f"{found['saved_bytes'] / MIB:,.0f} MiB saved"
        return f"profit {profit / MIB:+,.1f} MiB"
    said = f"{found['swapped_bytes'] / MIB:,.0f} MiB swapped out"
    return f"{said}, {found['ratio']:.1f} to 1" if found.get("ratio") else said


def _print_json(value: Any) -> None:
    from fleetdash.cli.text import print_json

    print_json(value)
