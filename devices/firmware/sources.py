"""The Debian mirrors this machine already trusts, as a sources list for any architecture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FALLBACK_MIRROR = "http://deb.debian.org/debian"
FALLBACK_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<rest>.*)$"
)
_UNUSABLE_SCHEMES = ("cdrom:",)


@dataclass(frozen=True)
class Source:
    """One place to fetch packages from: a mirror, a suite, and the key it is signed by."""

    uri: str
    suite: str
    signed_by: str = ""

    def line(self) -> str:
        """The entry in the one-line format of sources.list(5), open to every architecture."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} main"


def suites(codename: str) -> tuple[str, ...]:
    """The suites a stable Debian release is served in."""
    return (codename, f"{codename}-updates", f"{codename}-security")


def parse_one_line(text: str) -> Iterator[tuple[Source, tuple[str, ...]]]:
    """Each `deb` entry of a sources.list with its components, whatever architecture it names."""
    for raw in text.splitlines():
        match = _ONE_LINE.match(raw.split("#", 1)[0].strip())
        if match is None:
            continue
        options = dict(
            option.split("=", 1) for option in (match["options"] or "").split() if "=" in option
        )
        source = Source(match["uri"], match["suite"], options.get("signed-by", ""))
        yield source, tuple(match["rest"].split())


def parse_deb822(text: str) -> Iterator[tuple[Source, tuple[str, ...]]]:
    """Each entry of a deb822 `.sources` file with its components (sources.list(5))."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").strip().lower() in {"no", "false", "0"}:
            continue
        signed_by = fields.get("signed-by", "").strip()
        if not signed_by.startswith("/"):
            signed_by = ""  # a key written into the file itself cannot move to one line
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, signed_by), components


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            if name:
                fields[name] += " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def choose(
    entries: Iterable[tuple[Source, tuple[str, ...]]], *, codename: str
) -> tuple[Source, ...]:
    """The entries that serve this Debian release; Debian's own mirrors where there are none."""
    wanted = set(suites(codename))
    chosen: dict[tuple[str, str], Source] = {}
    for source, components in entries:
        suite = source.suite.strip("/")
        if suite in wanted and "main" in components:
            if source.uri.startswith(_UNUSABLE_SCHEMES):
                continue
            chosen.setdefault((source.uri.rstrip("/"), suite), source)
    if not any(suite == codename for _, suite in chosen):
        for suite in suites(codename):
            security = suite.endswith("-security")
            uri = FALLBACK_SECURITY_MIRROR if security else FALLBACK_MIRROR
            chosen.setdefault((uri, suite), Source(uri, suite, str(KEYRING)))
    return tuple(chosen.values())


def of_this_machine(*, codename: str, etc: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """What this machine's own sources offer for a Debian release, third parties left out.

    A restriction such as `[arch=amd64]` is dropped: the same mirrors serve every architecture.
    """
    entries: list[tuple[Source, tuple[str, ...]]] = []
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        entries.extend(parse_one_line(_read(path)))
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        entries.extend(parse_deb822(_read(path)))
    return choose(entries, codename=codename)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
