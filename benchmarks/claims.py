"""Measures claim_rows() against what people write by hand, batch by batch in turn.

The ways take turns at every batch, so that all of them meet the same machine; what is shown are medians of the rounds,
with minimum and maximum, and the ratio to the hand-written statement of that database.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import in_a_process, machine, number
from compat_matrix import matrix
from compat_matrix.servers import server

BATCHES = (1, 10, 100, 1000)
ROWS = {1: 300, 10: 2000, 100: 10_000, 1000: 20_000}  # that each way claims in a round
# Rows a second of each way in each round, by the size of the batch.
Found = dict[str, dict[str, list[float]]]


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    add = parser.add_argument
    add("--database", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)} (default: all)")
    add("--repeat", type=int, default=3, metavar="N", help="rounds (default 3)")
    add("--json", type=Path, default=Path("build/bench-claims.json"), metavar="FILE", help="default %(default)s")
    add("--here", action="store_true", help=argparse.SUPPRESS)  # measure the database that BENCH_DATABASE says
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.repeat)))
        return 0
    found: dict[str, Found] = {}
    for name in options.database or names:
        with server(matrix.load().database(name)) as running:
            print(running, flush=True)
            found[name] = in_a_process("benchmarks.claims", running.url, "--repeat", str(options.repeat))
        show(found[name])
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine(), "databases": found}, indent=2) + "\n", encoding="utf-8")
    print(f"All values are in {options.json}.")
    return 0


def measure(repeat: int) -> Found:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.by_hand import WAYS
    from benchmarks.models import Order

    call_command("migrate", verbosity=0)
    if Order._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    found: Found = {str(batch): {name: [] for name in WAYS} for batch in BATCHES}
    for _ in range(repeat):
        for batch in BATCHES:
            fill(Order, len(WAYS) * ROWS[batch])
            for name, rate in race(WAYS, batch).items():
                found[str(batch)][name].append(rate)
    return found


def fill(model: Any, rows: int) -> None:
    """So many to claim, and as many that are done."""
    from django.db import connection

    model.objects.all().delete()
    for status in (2, 0):
        model.objects.bulk_create((model(status=status, priority=n % 7) for n in range(rows)), batch_size=2000)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")


def race(ways: dict[str, Callable[[int], list[Any]]], batch: int) -> dict[str, float]:
    """Rows a second of each way, each batch of all ways in turn."""
    took = dict.fromkeys(ways, 0.0)
    for _ in range(ROWS[batch] // batch):
        for name, way in ways.items():
            began = time.perf_counter()
            rows = way(batch)
            took[name] += time.perf_counter() - began
            assert len(rows) == batch, f"{name} claimed {len(rows)} of {batch}"
            assert rows[0].status == 1
    return {name: ROWS[batch] / seconds for name, seconds in took.items()}


def show(found: Found) -> None:
    """A row for each size of the batch, a column for each way: rows a second, and the ratio to the first way."""
    ways = list(next(iter(found.values())))
    width = 34
    print("batch".ljust(8) + "".join(f"{way:>{width}}" for way in ways))
    for batch, figures in found.items():
        limit = statistics.median(figures[ways[0]])
        cells = [
            f"{number(statistics.median(values))} = {statistics.median(values) / limit:.2f}"
            f"  ({number(min(values))} to {number(max(values))})"
            for values in figures.values()
        ]
        print(batch.ljust(8) + "".join(f"{cell:>{width}}" for cell in cells))
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
