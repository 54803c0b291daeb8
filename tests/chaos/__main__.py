"""python -m tests.chaos --database postgresql --minutes 5

Workers and the server are killed, suspended and cut off at random under load. Afterwards: nothing lost, no task in two
processes at once, no repeat but of what was running or not yet stored when its process died, each atomic task's effect
exactly once, and nothing in the history of any task that the model forbids. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dj_database_url

from compat_matrix import matrix
from compat_matrix.servers import server

from .faults import Faults
from .field import Field


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=names, default="sqlite")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON, an entry for each database that was run")
    parser.add_argument("--keep", action="store_true", help="keep the folder with evidence, history and logs")
    options = parser.parse_args()
    with server(matrix.load().database(options.database)) as running:
        print(running, flush=True)
        database: dict[str, Any] = dict(dj_database_url.parse(running.url))
        if database["ENGINE"].endswith("mysql"):
            database["OPTIONS"] = {"charset": "utf8mb4"}
        folder = Path(tempfile.mkdtemp(prefix="dsq-chaos-"))
        field = Field(database, options.seed, folder)
        try:
            run = _ready(field)
            report = run(field, Faults(field, running.process), options.minutes * 60, tell)
        finally:
            field.stop()
            if options.keep:
                print(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    report = report | {"database": options.database, "minutes": options.minutes}
    print(summary(report))
    if options.report:
        _store(options.report, report)
    return 1 if report["wrong"] else 0


def _ready(field: Field) -> Any:
    """Django set up on the field's database, with tables; what runs there."""
    os.environ.update({name: value for name, value in field.direct.items() if name.startswith(("DJANGO", "DSQ"))})
    import django

    django.setup()
    from django.core.management import call_command

    from .run import run

    call_command("migrate", verbosity=0)
    return run


def tell(line: str) -> None:
    """One live line, where somebody looks."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="", flush=True)


def summary(report: dict[str, Any]) -> str:
    """For people."""
    history = report["history"]
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(report["faults"].items()))
    lines = [
        f"{report['database']}, {report['minutes']:g} minutes, seed {report['seed']}: {report['tasks']} tasks",
        f"  faults: {sum(report['faults'].values())} ({kinds})",
        f"  repeats: {report['repeats']}, allowed {report['repeats allowed']}",
        f"  lost: {report['lost']}, two at once: {report['two at once']}, atomic effects: {report['atomic effects']}",
        f"  longest to rescue: {report['longest to rescue, s']} s",
        f"  history: events checked {history['events checked']}, forbidden {history['forbidden']}",
        *(f"  wrong: {each}" for each in report["wrong"]),
    ]
    return ("\r\033[K" if sys.stdout.isatty() else "") + "\n".join(lines)


def _store(file: Path, report: dict[str, Any]) -> None:
    reports = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(reports | {report["database"]: report}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
