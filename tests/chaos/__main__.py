"""python -m tests.chaos --database postgresql --minutes 5

Workers and the server are killed, suspended and cut off at random under load. Afterwards: nothing lost, no task in two
processes at once, few repeats, each atomic task's effect exactly once. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import uuid
from collections import Counter
from typing import Any

import dj_database_url

from compat_matrix import matrix
from compat_matrix.servers import server

from .faults import Faults
from .field import Field
from .judges import longest_to_rescue, repeats, runs_of, two_at_once

DRAIN_SECONDS = 120


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=names, default="sqlite")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the folder with evidence and logs")
    options = parser.parse_args()
    with server(matrix.load().database(options.database)) as running:
        print(running, flush=True)
        database: dict[str, Any] = dict(dj_database_url.parse(running.url))
        if database["ENGINE"].endswith("mysql"):
            database["OPTIONS"] = {"charset": "utf8mb4"}
        field = Field(database, options.seed)
        try:
            report = run(field, Faults(field, running.process), options)
        finally:
            field.stop()
            if not options.keep:
                shutil.rmtree(field.folder, ignore_errors=True)
    print(json.dumps(report, indent=2))
    return 1 if report["wrong"] else 0


def run(field: Field, faults: Faults, options: argparse.Namespace) -> dict[str, Any]:
    os.environ.update({name: value for name, value in field.direct.items() if name.startswith(("DJANGO", "DSQ"))})
    import django

    django.setup()
    from django.db import connection
    from django.utils import timezone

    from django_simple_queue.models import Attempt, Task

    from .producer import Producer

    now = timezone.now()
    counter = Attempt.objects.create(task_id=uuid.uuid4(), number=0, ended_at=now, kind="counter")
    producer = Producer(options.seed, counter.pk, atomic=field.database["ENGINE"].rpartition(".")[2] != "sqlite3")
    producer.start()
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        field.pause(0.3, 1.5)
        print(f"{time.strftime('%H:%M:%S')} {faults.one()}", flush=True)
    producer.ended.set()
    producer.join(60)
    connection.close()  # the server may have been killed since it was opened
    drained = _drain(Task, field)
    events = field.events()
    kinds = dict(producer.committed + producer.unknown)
    runs = runs_of(events)
    ended = {key for key, event, _, _ in events if event == "end"}
    statuses = Counter(Task.objects.values_list("status", flat=True))
    lost = [key for key, _ in producer.committed if key not in ended]
    overlaps = two_at_once(runs, faults.record)
    added = Attempt.objects.get(pk=counter.pk).number
    done = Task.objects.filter(task__endswith="adds_one", status=Task.COMPLETED).count()
    bound = faults.record.runners_killed + 12 * faults.record.workers_killed + 12 * len(faults.record.cut_off)
    repeated = repeats(runs, kinds)
    wrong = [
        *([f"not drained: {dict(statuses)}"] if not drained else []),
        *([f"lost: {lost[:5]}"] if lost else []),
        *([f"two at once: {overlaps[:3]}"] if overlaps else []),
        *([f"{added} effects of {done} atomic tasks"] if added != done else []),
        *([f"{repeated} repeats, at most {bound}"] if repeated > bound else []),
        *([f"statuses {dict(statuses)}"] if set(statuses) - {Task.COMPLETED} else []),
        *_tracebacks(field),
    ]
    return {
        "database": options.database,
        "minutes": options.minutes,
        "seed": options.seed,
        "tasks": len(producer.committed),
        "faults": faults.record.kinds,
        "repeats": repeated,
        "repeats allowed": bound,
        "lost": len(lost),
        "two at once": len(overlaps),
        "atomic effects": f"{added} of {done}",
        "longest to rescue, s": round(longest_to_rescue(runs), 1),
        "wrong": wrong,
    }


def _drain(task: Any, field: Field) -> bool:
    """Wait until every task has ended."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        field.revive()
        if not task.objects.filter(status__in=[task.QUEUED, task.PROGRESS, task.SCHEDULED]).exists():
            return True
        time.sleep(0.5)
    return False


def _tracebacks(field: Field) -> list[str]:
    """A worker says what is wrong in a line; a traceback is a bug, but for those of tasks that failed."""
    found = []
    for worker in field.workers:
        lines = [line for line in worker.log.read_text(errors="replace").splitlines() if line.strip()]
        for before, (number, line) in zip(["", *lines], enumerate(lines), strict=False):
            of_a_task = before.startswith(("Task ", "The above exception", "During handling"))
            if line.startswith("Traceback") and not of_a_task:
                found.append(f"{worker.log.name}: {before} ... {' | '.join(lines[number : number + 60])[-1500:]}")
    return found[:2]


if __name__ == "__main__":
    sys.exit(main())
