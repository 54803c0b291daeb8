"""Renders what was measured: Markdown tables to stdout, and with --plots a plot for each database.

    python -m benchmarks.report build/bench-peers.json [--anchor NAME] [--plots FOLDER]

A cell is the ratio to the anchor, in brackets the median, with minimum and maximum if it was measured several times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import number
from benchmarks.plot import bars

# The first of these that was measured is what the others are compared with.
ANCHORS = ("pgqueuer", "django-tasks-db", "django_simple_queue")
SPEED = "drain noop, 1 process /s"
# A table each: what is in the names of its columns.
TABLES = {
    "Working off a backlog": ("drain noop",),
    "Tasks that sleep": ("drain sleep",),
    "Adding tasks": ("enqueue",),
    "Busy half of the time": ("at half load",),
    "Idle": ("latency", "when idle", "PSS"),
    "Cost of a task": ("CPU", "transactions a task", "statements a task"),
}
Peers = dict[str, dict[str, dict[str, list[float]]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path)
    parser.add_argument("--anchor", metavar="NAME", help=f"default: the first that is there of {', '.join(ANCHORS)}")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write bench-DATABASE.svg there")
    options = parser.parse_args()
    render(json.loads(options.json.read_text(encoding="utf-8")), options.anchor, options.plots)
    return 0


def render(result: dict[str, Any], anchor: str | None = None, plots: Path | None = None) -> None:
    print(f"{result['machine']}; each measured {result['repeat']} times.")
    for name, found in result["databases"].items():
        print("\n".join(section(name, found, anchor)))
        if plots and (speeds := fastest(found.get("peers", {}))):
            plots.mkdir(parents=True, exist_ok=True)
            title = f"{name}: no-op tasks a second, one worker process and four"
            (plots / f"bench-{name}.svg").write_text(bars(title, speeds), encoding="utf-8")


def section(name: str, found: dict[str, Any], wanted: str | None) -> Iterator[str]:
    yield f"\n## {name}\n\n{found['server']}"
    if growth := found.get("growth"):
        yield from ["", "| our own queue | tasks a second |", "|---|---|"]
        yield from (f"| {what} | {spread(values)} |" for what, values in growth.items())
    peers: Peers = found.get("peers", {})
    anchor = wanted or next((one for one in ANCHORS if one in peers), None)
    for title, marks in TABLES.items():
        yield from table(title, marks, peers, anchor)
    for who, reasons in found.get("failed", {}).items():
        yield f"\nNot measured: {who}: {reasons[0].splitlines()[-1]}"


def table(title: str, marks: tuple[str, ...], peers: Peers, anchor: str | None) -> Iterator[str]:
    every = [figure for configurations in peers.values() for figures in configurations.values() for figure in figures]
    columns = [figure for figure in dict.fromkeys(every) if any(mark in figure for mark in marks)]
    if not columns:
        return
    unit = compared(peers, anchor)
    yield f"\n### {title}\n"
    if unit:
        yield f"Ratios to {anchor}, {best(peers[str(anchor)])}.\n"
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for peer, configurations in peers.items():
        for configuration, figures in configurations.items():
            if any(column in figures for column in columns):
                cells = (cell(figures.get(column), unit.get(column)) for column in columns)
                yield f"| {peer}, {configuration} | {' | '.join(cells)} |"


def compared(peers: Peers, anchor: str | None) -> dict[str, float]:
    """The anchor's medians in its fastest configuration; of what was measured in another one only, those."""
    if anchor not in peers:
        return {}
    configurations = peers[anchor]
    every = {name: values for figures in configurations.values() for name, values in figures.items()}
    return {name: statistics.median(values) for name, values in (every | configurations[best(configurations)]).items()}


def best(configurations: dict[str, dict[str, list[float]]]) -> str:
    return max(configurations, key=lambda name: statistics.median(configurations[name].get(SPEED, [0.0])))


def cell(values: list[float] | None, unit: float | None) -> str:
    if not values:
        return "–"  # noqa: RUF001
    middle = statistics.median(values)
    return f"{number(middle / unit)} ({spread(values)})" if unit else spread(values)


def spread(values: list[float]) -> str:
    several = f", {number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    return number(statistics.median(values)) + several


def fastest(peers: Peers) -> dict[str, list[list[float]]]:
    """Of each peer in its fastest configuration, the fastest peer first: with one process, with four."""
    names = (SPEED, SPEED.replace("1 process", "4 processes"))
    rows = {
        f"{peer}, {best(configurations)}": [configurations[best(configurations)].get(name, []) for name in names]
        for peer, configurations in peers.items()
    }
    there = {name: values for name, values in rows.items() if values[0]}
    return dict(sorted(there.items(), key=lambda item: -statistics.median(item[1][0])))


if __name__ == "__main__":
    sys.exit(main())
