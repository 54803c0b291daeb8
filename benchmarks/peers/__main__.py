"""Measures task queues beside each other: the same tasks, each queue in an environment and a database of its own.

The peers are interleaved and repeated; medians with minimum and maximum are shown at the end.
Absolute figures mean little on another machine: read the ratios, and the spread.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from benchmarks.driver.run import measure_on, measure_ours
from benchmarks.measures.every import MEASURES
from benchmarks.measures.growth import growth
from benchmarks.measures.memory import memory
from benchmarks.peers import adapters
from benchmarks.peers.peer import adapter
from benchmarks.report import render
from compat_matrix import matrix
from compat_matrix.servers import server


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    known = {adapter(module).name: module for module in adapters()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    add = parser.add_argument
    add("--database", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)} (default: all)")
    add("--peer", action="append", metavar="NAME", help=f"one of {', '.join(known)} (default: all)")
    add("--measure", default=",".join(MEASURES), metavar="NAMES", help="default %(default)s")
    add("--repeat", type=int, default=3, metavar="N", help="how often each is measured (default 3)")
    add("--seconds", type=float, default=3.0, metavar="S", help="of work in a backlog (default 3)")
    ours = parser.add_mutually_exclusive_group().add_argument
    ours("--growth", action="store_true", help="measure instead what a table that has grown does to our own queue")
    ours("--memory", action="store_true", help="measure instead what our own worker has in memory as many tasks pass")
    add("--rows", type=int, default=1_000_000, metavar="N", help="for --growth and --memory (default 1000000)")
    add("--json", type=Path, default=Path("build/bench-peers.json"), metavar="FILE", help="default %(default)s")
    options = parser.parse_args()
    modules = [known.get(name, name) for name in options.peer or known]
    measures = options.measure.split(",")
    for wrong in {*modules} - {*known.values()} | {*measures} - {*MEASURES}:
        parser.error(f"there is no {wrong!r}")
    # Workers end with this, however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    result: dict[str, Any] = {"machine": machine(), "repeat": 1 if options.memory else options.repeat, "databases": {}}
    for name in options.database or names:
        database = matrix.load().database(name)
        with server(database) as running:
            print(running, flush=True)
            if options.growth:
                grow = partial(growth, rows=options.rows, repeat=options.repeat)
                found = {"growth": measure_ours(database, running.url, grow)}
            elif options.memory:
                found = {"memory": measure_ours(database, running.url, partial(memory, tasks=options.rows))}
            else:
                found = measure_on(database, running.url, modules, measures, options.repeat, options.seconds)
        result["databases"][name] = {"server": running.taken} | found
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    render(result, folder=options.json.parent)
    print(f"\nAll values are in {options.json}, for python -m benchmarks.report.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
