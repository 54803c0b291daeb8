"""A plot as SVG, without a library."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from html import escape

from benchmarks.common import number

LEFT, WIDTH, BAR, GAP, TOP = 250, 480, 11, 10, 64
AXIS, HEIGHT = 60, 240  # of a line plot: what is left of it, its height
COLOURS = ("#2f6f9f", "#9fc3dd", "#c2703d", "#5f8f4f", "#7a5f9f")
SERIES = 2  # bars in a row
TEXT = 'font-family="sans-serif" font-size="12"'


def bars(title: str, legend: list[str], rows: dict[str, list[list[float]]]) -> str:
    """A row for each name with a bar for each series, on a scale of powers of ten; a thin line is the spread."""
    values = [value for series in rows.values() for one in series for value in one if value > 0]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)

    def place(value: float) -> float:
        return LEFT + WIDTH * (math.log10(max(value, 10**low)) - low) / (high - low)

    row = SERIES * BAR + GAP
    bottom = TOP + row * len(rows)
    parts = head(title, LEFT + WIDTH + 70, bottom + 28, legend)
    for power in range(low, high + 1):
        x = place(10**power)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" {TEXT} text-anchor="middle">{number(10**power)}</text>')
    for index, (name, series) in enumerate(rows.items()):
        y = TOP + index * row
        label = f'x="{LEFT - 8}" y="{y + BAR + 4}" {TEXT} text-anchor="end"'
        parts.append(f"<text {label}>{escape(name)}</text>")
        for at, (found, colour) in enumerate(zip(series, COLOURS, strict=False)):
            if found:
                parts += bar(place, y + at * BAR, found, colour)
    return "\n".join([*parts, "</svg>"]) + "\n"


def bar(place: Callable[[float], float], y: float, found: list[float], colour: str) -> list[str]:
    end, middle = place(statistics.median(found)), y + BAR / 2
    first, last = place(min(found)), place(max(found))
    return [
        f'<rect x="{LEFT}" y="{y:.1f}" width="{max(end - LEFT, 0.5):.1f}" height="{BAR - 2}" fill="{colour}"/>',
        f'<line x1="{first:.1f}" y1="{middle - 1:.1f}" x2="{last:.1f}" y2="{middle - 1:.1f}" stroke="#222222"/>',
        f'<text x="{last + 5:.1f}" y="{y + BAR - 2:.1f}" {TEXT}>{number(statistics.median(found))}</text>',
    ]


def line(title: str, across: str, curves: dict[str, list[list[float]]]) -> str:
    """A line for each name through its points (x, y); both scales start at 0."""
    wide, high = (nice(max(point[axis] for points in curves.values() for point in points)) for axis in (0, 1))
    bottom = TOP + HEIGHT
    parts = head(title, AXIS + WIDTH + 60, bottom + 44, list(curves))
    for step in range(6):
        y, x = bottom - HEIGHT * step / 5, AXIS + WIDTH * step / 5
        parts.append(f'<line x1="{AXIS}" y1="{y:.1f}" x2="{AXIS + WIDTH}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{AXIS - 8}" y="{y + 4:.1f}" {TEXT} text-anchor="end">{number(high * step / 5)}</text>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" {TEXT} text-anchor="middle">{number(wide * step / 5)}</text>'
        )
    parts.append(f'<text x="{AXIS + WIDTH / 2:.1f}" y="{bottom + 34}" {TEXT} text-anchor="middle">{across}</text>')
    for points, colour in zip(curves.values(), COLOURS, strict=False):
        places = (f"{AXIS + WIDTH * x / wide:.1f},{bottom - HEIGHT * y / high:.1f}" for x, y in points)
        parts.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def nice(most: float) -> float:
    """The end of a scale that has round numbers at each fifth of it."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * times for times in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if power * times >= most)


def head(title: str, width: float, height: float, legend: list[str]) -> list[str]:
    """Up to the plot itself; `legend` says what has which colour."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="24" {TEXT} font-weight="bold">{escape(title)}</text>',
    ]
    x = 12.0
    for name, colour in zip(legend, COLOURS, strict=False):
        parts.append(f'<rect x="{x:.1f}" y="34" width="{BAR}" height="{BAR}" fill="{colour}"/>')
        parts.append(f'<text x="{x + BAR + 5:.1f}" y="44" {TEXT}>{escape(name)}</text>')
        x += BAR + 22 + 7 * len(name)
    return parts
