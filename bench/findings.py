"""What a bench has found so far: printed even when the rest of it fails or is interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of docs/measurements.md; `reach` and `aim` are what the figure should be."""

    what: str
    measured: str
    reach: str = "–"
    aim: str = "–"


@dataclass
class Findings:
    """Values for programs, rows for docs/measurements.md, and what went wrong."""

    command: str
    values: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def row(self, what: str, measured: str, *, reach: str = "–", aim: str = "–") -> None:
        """Add a line to the table."""
        self.rows.append(Row(what, measured, reach, aim))

    def problem(self, sentence: str) -> None:
        """Note something that is not as it should be; the bench then ends with status 1."""
        self.problems.append(sentence)

    def as_json(self) -> str:
        """Everything, for programs."""
        return json.dumps({"command": self.command, **asdict(self)}, indent=2)

    def as_text(self) -> str:
        """Values for people, then the rows as they stand in docs/measurements.md."""
        parts = ["\n".join(_lines(self.values))] if self.values else []
        if self.rows:
            parts.append("\n".join(self.table()))
        if self.problems:
            parts.append("\n".join(f"✗ {sentence}" for sentence in self.problems))
        return "\n\n".join(parts) or "nothing was measured"

    def table(self) -> Iterator[str]:
        """The rows as a table in Markdown, with the command of each."""
        yield "| what | reach | aim | measured | command |"
        yield "|---|---|---|---|---|"
        for row in self.rows:
            yield f"| {row.what} | {row.reach} | {row.aim} | {row.measured} | `{self.command}` |"


def _lines(values: dict[str, Any], indent: str = "") -> Iterator[str]:
    width = max((len(key) for key in values), default=0)
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key.replace('_', ' ')}"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key.replace('_', ' '):<{width}}  {_said(value)}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
