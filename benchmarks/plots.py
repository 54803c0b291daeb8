"""What was measured as plots: for each database the speed, the enqueueing, the latency; memory of all in one."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.plot import bars, line
from benchmarks.tables import SPEED, Peers, best

# By the end of the file's name: title, then what the two bars of a peer are and the figures they show.
PLOTS = {
    "": (
        "no-op tasks a second",
        {"one worker process": SPEED, "four": SPEED.replace("1 process", "4 processes")},
    ),
    "-enqueue": (
        "tasks enqueued a second",
        {"one by one": "enqueue one by one /s", "in bulk": "enqueue in bulk /s"},
    ),
    "-latency": (
        "ms from commit to start, by an idle worker",
        {"p50": "latency p50 ms", "p95": "latency p95 ms"},
    ),
}


def write(databases: dict[str, Any], folder: Path) -> dict[str, dict[str, Path]]:
    """The files by their titles, by the database that they show; under "" what shows several."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, dict[str, Path]] = {}

    def keep(name: str, title: str, file: str, svg: str) -> None:
        (folder / file).write_text(svg, encoding="utf-8")
        written.setdefault(name, {})[title] = folder / file

    for name, found in databases.items():
        for end, (what, figures) in PLOTS.items():
            title, least = f"{name}: {what}", end == "-latency"
            if rows := rows_of(found.get("peers", {}), list(figures.values()), least=least):
                keep(name, title, f"bench-{name}{end}.svg", bars(title, list(figures), rows))
    if curves := {name: found["memory"] for name, found in databases.items() if found.get("memory")}:
        title = "PSS of a worker with one process, in MiB, while tasks pass"
        keep("", title, "bench-memory.svg", line(title, "tasks", curves))
    return written


def rows_of(peers: Peers, figures: list[str], *, least: bool) -> dict[str, list[list[float]]]:
    """Of each peer in the configuration that is best at the first figure, the best peer first."""
    rows: dict[str, list[list[float]]] = {}
    for peer, configurations in peers.items():
        configuration = best(configurations, figures[0], least=least)
        found = [configurations[configuration].get(figure, []) for figure in figures]
        if found[0]:
            rows[f"{peer}, {configuration}"] = found
    sign = 1 if least else -1
    return dict(sorted(rows.items(), key=lambda item: sign * statistics.median(item[1][0])))
