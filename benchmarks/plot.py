"""A plot as SVG, without a library."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from html import escape

from benchmarks.common import number

LEFT, WIDTH, BAR, GAP, TOP = 250, 480, 11, 10, 46
COLOURS = ("#2f6f9f", "#9fc3dd")


def bars(title: str, rows: dict[str, list[list[float]]]) -> str:
    """A row for each name with a bar for each series, on a scale of powers of ten; a thin line is the spread."""
    values = [value for series in rows.values() for one in series for value in one if value > 0]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)

    def place(value: float) -> float:
        return LEFT + WIDTH * (math.log10(max(value, 10**low)) - low) / (high - low)

    row = len(COLOURS) * BAR + GAP
    bottom = TOP + row * len(rows)
    text = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {bottom + 28}" role="img">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="24" {text} font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        x = place(10**power)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" {text} text-anchor="middle">{number(10**power)}</text>')
    for index, (name, series) in enumerate(rows.items()):
        y = TOP + index * row
        label = f'x="{LEFT - 8}" y="{y + BAR + 4}" {text} text-anchor="end"'
        parts.append(f"<text {label}>{escape(name)}</text>")
        for at, (found, colour) in enumerate(zip(series, COLOURS, strict=False)):
            if found:
                parts += bar(place, y + at * BAR, found, colour, text)
    return "\n".join([*parts, "</svg>"]) + "\n"


def bar(place: Callable[[float], float], y: float, found: list[float], colour: str, text: str) -> list[str]:
    end, middle = place(statistics.median(found)), y + BAR / 2
    first, last = place(min(found)), place(max(found))
    return [
        f'<rect x="{LEFT}" y="{y:.1f}" width="{max(end - LEFT, 0.5):.1f}" height="{BAR - 2}" fill="{colour}"/>',
        f'<line x1="{first:.1f}" y1="{middle - 1:.1f}" x2="{last:.1f}" y2="{middle - 1:.1f}" stroke="#222222"/>',
        f'<text x="{last + 5:.1f}" y="{y + BAR - 2:.1f}" {text}>{number(statistics.median(found))}</text>',
    ]
