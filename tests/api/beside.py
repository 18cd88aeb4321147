"""A Python process with Django set up that runs what it is given, for as long as it is needed."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
# a line is JSON: the code; and back: what it printed, and how it failed
PROGRAM = """
import contextlib, io, json, sys, traceback
import django
django.setup()
for line in sys.stdin:
    said, failed = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(said):
            exec(json.loads(line), {})
    except BaseException:
        failed = traceback.format_exc()
    print(json.dumps([said.getvalue(), failed]), flush=True)
"""


class Beside:
    """Setting up Django takes most of a second: this does it once, with the first code."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, code: str) -> str:
        """Run it with names of its own; gives what it printed. Fails as the code does."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                cwd=_CHECKOUT, env=self._environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], DEADLINE_S)
        assert readable, f"nothing came of this in {DEADLINE_S:.0f} s:\n{code}"
        answer = self._process.stdout.readline()
        assert answer, f"Python ended with {self._process.wait()}:\n{code}"
        said, failed = json.loads(answer)
        assert not failed, failed
        return str(said).strip()

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None
