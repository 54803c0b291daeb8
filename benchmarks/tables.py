"""What was measured as Markdown tables.

A cell is the ratio to the anchor, in brackets the median, with minimum and maximum if it was measured several times.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.common import number

# The first of these that was measured is what the others are compared with.
ANCHORS = ("pgqueuer", "django-tasks-db", "django_simple_queue")
SPEED = "drain noop, 1 process /s"
EMPTY_TABLE = "on an empty table"  # what growth is compared with
SHARES = range(10)  # tenths of the tasks that passed while memory was looked at
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


def section(name: str, found: dict[str, Any], wanted: str | None) -> Iterator[str]:
    """The lines of one database; where its program lies on this machine is nobody's business."""
    yield f"\n## {name}\n\n{found['server'].partition(',')[0]}"
    peers: Peers = found.get("peers", {})
    anchor = wanted or next((one for one in ANCHORS if one in peers), None)
    for title, marks in TABLES.items():
        yield from table(title, marks, peers, anchor)
    yield from growth(found.get("growth", {}))
    yield from memory(found.get("memory", []))
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


def growth(found: dict[str, list[float]]) -> Iterator[str]:
    if not found:
        return
    unit = statistics.median(found.get(EMPTY_TABLE, [0.0]))
    yield from ["\n### A table that has grown\n", f"| our own queue | tasks a second | ratio to that {EMPTY_TABLE} |"]
    yield "|---|---|---|"
    for what, values in found.items():
        ratio = number(statistics.median(values) / unit) if unit else "–"  # noqa: RUF001
        yield f"| {what} | {spread(values)} | {ratio} |"


def memory(samples: list[list[float]]) -> Iterator[str]:
    if not samples:
        return
    tasks = samples[-1][0]
    first = (next(one for one in samples if one[0] >= tasks * share / len(SHARES)) for share in SHARES)
    yield from ["\n### Memory while many tasks pass\n", "| tasks passed | PSS MiB of our own worker |", "|---|---|"]
    for passed, mib in dict.fromkeys((int(passed), mib) for passed, mib in [*first, samples[-1]]):
        yield f"| {passed:,} | {mib:.1f} |"


def compared(peers: Peers, anchor: str | None) -> dict[str, float]:
    """The anchor's medians in its fastest configuration; of what was measured in another one only, those."""
    if anchor not in peers:
        return {}
    configurations = peers[anchor]
    every = {name: values for figures in configurations.values() for name, values in figures.items()}
    return {name: statistics.median(values) for name, values in (every | configurations[best(configurations)]).items()}


def best(configurations: dict[str, dict[str, list[float]]], figure: str = SPEED, *, least: bool = False) -> str:
    """The configuration that has most of that, or least."""
    worst = float("inf") if least else 0.0
    medians = {name: statistics.median(figures.get(figure, [worst])) for name, figures in configurations.items()}
    return (min if least else max)(medians, key=medians.__getitem__)


def cell(values: list[float] | None, unit: float | None) -> str:
    if not values:
        return "–"  # noqa: RUF001
    middle = statistics.median(values)
    return f"{number(middle / unit)} ({spread(values)})" if unit else spread(values)


def spread(values: list[float]) -> str:
    several = f", {number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    return number(statistics.median(values)) + several
