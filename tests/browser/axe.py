"""axe-core in the page: what is wrong for who cannot see it well, or at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => (await axe.run(document, { runOnly: tags, resultTypes: ["violations"] }))
  .violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 160) + n.failureSummary)])"""


def violations(page: Page) -> Any:
    """What axe-core finds: a list of rules with the elements that break them."""
    page.evaluate(AXE)
    return page.evaluate(RUN, RULES)
