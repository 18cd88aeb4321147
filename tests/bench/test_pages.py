from __future__ import annotations

from bench import pages
from bench.findings import Findings


def test_the_slowest_page_of_a_kind_is_judged() -> None:
    findings = Findings("bin/bench pages")
    timed = {"list": {"p95_ms": 50.0}, "list, a tag": {"p95_ms": 250.0}, "fleet": {"p95_ms": 9e9}}
    pages._judge(findings, timed, 10_000)
    assert findings.problems == ["list, a tag took 250 ms (p95), over 200"]
    assert [(row.measured, row.reach) for row in findings.rows] == [("**250 ms**", "200 ms")]
