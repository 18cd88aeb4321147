"""Charts as small SVG files that follow the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 82, 50
# more points than pixels tell nothing
MOST_POINTS = 800

# light and dark: surface, ink, muted ink, grid; then the series (Okabe and Ito's, told apart by
# most colour-blind people)
_STYLE = """
.surface{fill:#fff}.title{fill:#1f2328;font-weight:600;font-size:16px}
.text{fill:#59636e;font-size:12px}.grid{stroke:#d1d9e0;stroke-width:1}
.mark{stroke:#59636e;stroke-width:1;stroke-dasharray:3 4}
text{font-family:ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.c0{stroke:#0072b2;fill:#0072b2}.c1{stroke:#d55e00;fill:#d55e00}
.c2{stroke:#007a5a;fill:#007a5a}.c3{stroke:#a8527f;fill:#a8527f}
.line{fill:none}.area{stroke:none;fill-opacity:.14}.dot{stroke:none}
@media(prefers-color-scheme:dark){
.surface{fill:#0d1117}.title{fill:#f0f6fc}.text{fill:#9198a1}.grid{stroke:#2a313c}
.mark{stroke:#9198a1}
.c0{stroke:#56b4e9;fill:#56b4e9}.c1{stroke:#f28e4b;fill:#f28e4b}
.c2{stroke:#2bc79a;fill:#2bc79a}.c3{stroke:#e39bc6;fill:#e39bc6}
.line{fill:none}.area{stroke:none}.dot{stroke:none}}
""".strip().replace("\n", "")


@dataclass(frozen=True)
class Series:
    """One line; `dots` marks each point, `area` fills down to zero."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False
    area: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis; both axes begin at zero. `marks` are vertical lines with a word."""

    title: str
    x_name: str
    y_name: str
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)


def ticks(most: float, about: int = 6) -> list[float]:
    """Round values from 0 to the first at or above `most`, about so many."""
    if most <= 0 or not math.isfinite(most):
        return [0.0, 1.0]
    rough = most / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def draw(chart: Chart) -> str:
    """The chart as an SVG document."""
    points = [point for series in chart.series for point in series.points]
    across = ticks(max((x for x, _ in points), default=0.0), 9)
    up = ticks(max((y for _, y in points), default=0.0))

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / across[-1],
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * max(0.0, y) / up[-1],
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(chart.title)}</title><style>{escape(_STYLE)}</style>",
        f'<rect class="surface" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(chart.title)}</text>',
    ]
    for value in up:
        x, y = at(0, value)
        parts.append(
            f'<path class="grid" d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="text" x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_number(value)}</text>"
        )
    for value in across:
        x, y = at(value, 0)
        parts.append(
            f'<text class="text" x="{x:.1f}" y="{y + 19:.1f}" text-anchor="middle">'
            f"{_number(value)}</text>"
        )
    parts.append(
        f'<text class="text" x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 10}" '
        f'text-anchor="middle">{escape(chart.x_name)}</text>'
    )
    for where, word in chart.marks:
        x, _ = at(min(where, across[-1]), 0)
        parts.append(
            f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
            f'<text class="text" x="{x:.1f}" y="{TOP - 7}" text-anchor="middle">'
            f"{escape(word)}</text>"
        )
    parts += _legend(chart)
    for number, series in enumerate(chart.series):
        parts += _line(series, f"c{number % 4}", at)
    return "".join(parts) + "</svg>\n"


def _line(series: Series, colour: str, at: object) -> Iterator[str]:
    assert callable(at)
    shown = [at(x, y) for x, y in thinned(series.points, MOST_POINTS)]
    if not shown:
        return
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in shown)
    if series.area:
        ground = HEIGHT - BOTTOM
        yield (
            f'<path class="{colour} area" '
            f'd="M{shown[0][0]:.1f} {ground}L{path}L{shown[-1][0]:.1f} {ground}Z"/>'
        )
    yield f'<path class="{colour} line" d="M{path}"/>'
    if series.dots:
        for x, y in shown:
            yield f'<circle class="{colour} dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'


def _legend(chart: Chart) -> Iterator[str]:
    yield f'<text class="text" x="{LEFT}" y="47">{escape(chart.y_name)}</text>'
    x = LEFT + 6.4 * len(chart.y_name) + 24
    for number, series in enumerate(chart.series):
        yield (
            f'<path class="c{number % 4} line" d="M{x:.1f} 43h18"/>'
            f'<text class="text" x="{x + 24:.1f}" y="47">{escape(series.name)}</text>'
        )
        x += 24 + 6.6 * len(series.name) + 22


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most about so many points, each the mean of its neighbours."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / most)
    groups = [points[n : n + size] for n in range(0, len(points), size)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"
