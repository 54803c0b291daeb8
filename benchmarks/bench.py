"""Measures the queue, one worker with one process, on each database and against the limit that the bare driver sets.

The ways are interleaved and repeated; what is shown is the median, with minimum and maximum. Absolute figures mean
little on a noisy machine: read the ratios, and the spread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import dj_database_url

from compat_matrix import matrix
from compat_matrix.servers import server

# For each way, every value of each of its figures.
Found = dict[str, dict[str, list[float]]]


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    add = parser.add_argument
    add("--database", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)} (default: all)")
    add("--tasks", type=int, default=20000, metavar="N", help="in the backlog (default 20000)")
    add("--repeat", type=int, default=3, metavar="N", help="how often each is measured (default 3)")
    add("--json", type=Path, default=Path("build/bench.json"), metavar="FILE", help="default build/bench.json")
    add("--here", action="store_true", help=argparse.SUPPRESS)  # measure the database that BENCH_DATABASE says
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.tasks, options.repeat)))
        return 0
    found = {}
    for name in options.database or names:
        with server(matrix.load().database(name)) as running:
            print(running, flush=True)
            found[name] = {"server": running.taken, "figures": in_a_process(running.url, options)}
        show(found[name]["figures"])
    setting = {"tasks": options.tasks, "repeat": options.repeat, "machine": machine()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(setting | {"databases": found}, indent=2) + "\n", encoding="utf-8")
    print(f"All values are in {options.json}.")
    return 0


def in_a_process(url: str, options: argparse.Namespace) -> Found:
    """Django knows one database as its default for as long as it lives."""
    words = ["--here", "--tasks", str(options.tasks), "--repeat", str(options.repeat)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", *words],
        env=os.environ | {"BENCH_DATABASE": json.dumps(entry(url)), "DJANGO_SETTINGS_MODULE": "benchmarks.settings"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def entry(url: str) -> dict[str, Any]:
    """A Django DATABASES entry, as one would set it for production."""
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        wal = "PRAGMA journal_mode=WAL"
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": wal, "timeout": 20}
    elif database["ENGINE"].endswith("mysql"):
        database["OPTIONS"] = {"charset": "utf8mb4"}
    return database


def measure(tasks: int, repeat: int) -> Found:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.ways import ways

    call_command("migrate", verbosity=0)
    found: Found = {way.name: {} for way in ways()}
    for _ in range(repeat):
        limit = None
        for way in ways():
            values = way.measure(tasks)
            if limit is None:
                limit = values["drain /s"]  # the bare driver is the first
            else:
                values["of the bare driver"] = values["drain /s"] / limit
            for name, value in values.items():
                found[way.name].setdefault(name, []).append(value)
    return found


def show(found: Found) -> None:
    """A row for each figure, a column for each way."""
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    width = 34
    print(" " * 24 + "".join(f"{way:>{width}}" for way in found))
    for name in names:
        print(f"{name:24}" + "".join(f"{cell(figures.get(name, [])):>{width}}" for figures in found.values()))
    print(flush=True)


def cell(values: list[float]) -> str:
    if not values:
        return "-"
    spread = f"  ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    return number(statistics.median(values)) + spread


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
