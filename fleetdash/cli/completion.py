"""`fleet completion`: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# completion of bin/fleet for bash; in ~/.bashrc: source <(bin/fleet completion bash)
declare -gA _fleet_words=(
@words@
)
_fleet() {
    local place=fleet word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word != -* && -n ${_fleet_words["$place $word"]+there} ]] && place="$place $word"
    done
    local key="$place|${COMP_WORDS[COMP_CWORD-1]}"
    [[ -n ${_fleet_words["$key"]+there} ]] || key=$place
    mapfile -t COMPREPLY < <(compgen -W "${_fleet_words["$key"]}" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _fleet fleet
"""
_ZSH = """\
# completion of bin/fleet for zsh; in ~/.zshrc, after compinit: source <(bin/fleet completion zsh)
typeset -gA _fleet_words=(
@words@
)
_fleet() {
    local place=fleet word key
    for word in "${(@)words[2,CURRENT-1]}"; do
        [[ $word != -* && -n ${_fleet_words[$place $word]+there} ]] && place="$place $word"
    done
    key="$place|${words[CURRENT-1]}"
    [[ -n ${_fleet_words[$key]+there} ]] || key=$place
    compadd -- ${=_fleet_words[$key]}
}
compdef _fleet fleet
"""
_FISH = """\
# completion of bin/fleet for fish, to be put into ~/.config/fish/completions/fleet.fish
complete -c fleet -f
@words@
"""


@dataclass(frozen=True)
class Place:
    """What may stand after the words of `path`: commands and options, each with its help."""

    path: tuple[str, ...]
    commands: dict[str, str]
    options: dict[str, str]
    choices: dict[str, tuple[str, ...]]


def register(commands: Commands) -> None:
    """Add this command."""
    completion = commands.add_parser("completion", help="print a shell's completion script")
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(alone=_print)


def _print(given: argparse.Namespace) -> int:
    from fleetdash.cli.main import parser

    places = list(_places(parser(), ("fleet",)))
    script = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[given.shell]
    words = {"bash": _bash, "zsh": _zsh, "fish": _fish}[given.shell](places)
    print(script.replace("@words@", "\n".join(words)), end="")
    return 0


def _places(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterator[Place]:
    commands: dict[str, str] = {}
    options: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    below: list[Iterator[Place]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands = {each.dest: each.help or "" for each in action._choices_actions}
            below = [_places(sub, (*path, name)) for name, sub in action.choices.items()]
            continue
        if not action.option_strings and action.choices:
            commands.update(dict.fromkeys(map(str, action.choices), ""))
        for option in action.option_strings:
            if option.startswith("--"):
                options[option] = action.help or ""
                if action.choices:
                    choices[option] = tuple(map(str, action.choices))
    yield Place(path, commands, options, choices)
    for each in below:
        yield from each


def _table(places: list[Place]) -> dict[str, str]:
    """What may come, by where: `fleet token create`, or `fleet ls|--state` after an option."""
    table: dict[str, str] = {}
    for place in places:
        path = " ".join(place.path)
        table[path] = " ".join([*place.commands, *place.options])
        for option, values in place.choices.items():
            table[f"{path}|{option}"] = " ".join(values)
    return table


def _bash(places: list[Place]) -> list[str]:
    table = _table(places)
    return [f"    [{shlex.quote(key)}]={shlex.quote(words)}" for key, words in table.items()]


def _zsh(places: list[Place]) -> list[str]:
    table = _table(places)
    return [f"    {shlex.quote(key)} {shlex.quote(words)}" for key, words in table.items()]


def _fish(places: list[Place]) -> list[str]:
    return [line for place in places for line in _fish_lines(place)]


def _fish_lines(place: Place) -> Iterator[str]:
    condition = "__fish_use_subcommand"
    if place.path[1:]:
        condition = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in place.path[1:])
    if place.path[1:] and place.commands:
        words = " ".join(place.commands)
        below = f"{condition}; and not __fish_seen_subcommand_from {words}"
    else:
        below = condition
    for command, said in place.commands.items():
        yield _fish_line(below, f"-a {command}", said)
    for option, said in place.options.items():
        takes = ""
        if option in place.choices:
            takes = f" -x -a {shlex.quote(' '.join(place.choices[option]))}"
        yield _fish_line(condition, f"-l {option[2:]}{takes}", said)


def _fish_line(condition: str, what: str, said: str) -> str:
    line = f"complete -c fleet -n {shlex.quote(condition)} {what}"
    # argparse writes a per cent sign twice
    return f"{line} -d {shlex.quote(said.replace('%%', '%'))}" if said else line
