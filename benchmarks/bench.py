"""python -m benchmarks.bench [--database NAME ...] [--tasks N] [--repeat N] [--json FILE]

One worker with one process on each database, against the limit that the bare driver sets, in one interleaved run.
Absolute figures mean little on a noisy machine: read the ratios, and the spread between min and max.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import dj_database_url

from compat_matrix import matrix
from compat_matrix.servers import server


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--database", action="append", choices=names, help="default: all")
    parser.add_argument("--tasks", type=int, default=20000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to put all figures")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.tasks, options.repeat)))
        return 0
    figures = {}
    for name in options.database or names:
        with server(matrix.load().database(name)) as running:
            print(running, flush=True)
            words = ["--one", "--tasks", str(options.tasks), "--repeat", str(options.repeat)]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.bench", *words],
                env=os.environ | {"BENCH_DATABASE": json.dumps(entry(running.url))},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            figures[name] = json.loads(done.stdout.splitlines()[-1])
            show(figures[name])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0


def entry(url: str) -> dict[str, Any]:
    """A Django DATABASES entry, as one would set it for production."""
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        wal = "PRAGMA journal_mode=WAL"
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": wal, "timeout": 20}
    elif database["ENGINE"].endswith("mysql"):
        database["OPTIONS"] = {"charset": "utf8mb4"}
    return database


def measure(tasks: int, repeat: int) -> dict[str, list[float]]:
    """Every figure as often as it was measured, the ways interleaved."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks import measures

    call_command("migrate", verbosity=0)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeat):
        for part in (measures.raw_drain(tasks), measures.drain(tasks), measures.one_by_one(max(50, tasks // 20))):
            for name, value in part.items():
                found[name].append(value)
    found["drain / raw driver"] = [a / b for a, b in zip(found["drain /s"], found["raw driver /s"], strict=True)]
    for name, value in measures.latency(30).items():
        found[name].append(value)
    return found


def show(figures: dict[str, list[float]]) -> None:
    for name, values in figures.items():
        text = f"{statistics.median(values):12,.2f}"
        spread = f"   ({min(values):,.2f} to {max(values):,.2f})" if len(values) > 1 else ""
        print(f"  {name:24}{text}{spread}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
