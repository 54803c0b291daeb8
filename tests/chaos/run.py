"""One run: load, faults, silence; and what is to be said of it."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from django_simple_queue.models import Attempt, Task
from tests.history import events as history
from tests.history.check import check
from tests.history.rows import final_rows
from tests.model.rules import Rules

from .faults import Faults
from .field import Field
from .judges import longest_to_rescue, repeats, runs_of, two_at_once, unstored
from .producer import Producer

DRAIN_SECONDS = 120
MAX_LOSSES, MAX_ATTEMPTS = 1000, 3  # as in settings


def run(
    field: Field, faults: Faults, seconds: float, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Let it rage for so long, wait until all is done, and judge. `wrong` is what must not be."""
    counter = Attempt.objects.create(task_id=uuid.uuid4(), number=0, ended_at=timezone.now(), kind="counter")
    producer = Producer(field.seed, counter.pk, atomic=connection.features.has_select_for_update)
    field.start()
    producer.start()
    _await_the_first_run(field)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        field.pause(0.3, 1.5)
        name = faults.one()
        tell(f"{max(0, end - time.monotonic()):.0f} s left, {len(producer.committed)} tasks, {name}")
    producer.ended.set()
    producer.join(60)
    tell("waiting for what is left")
    connection.close()  # the server may have been killed since it was opened
    drained = _drain(field)
    return _judge(field, faults, producer, drained, Attempt.objects.get(pk=counter.pk).number)


def _await_the_first_run(field: Field) -> None:
    """Nothing is disturbed by what happens before all workers are there."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and len({pid for _, _, pid, _ in field.events()}) < len(field.workers):
        time.sleep(0.05)


def _drain(field: Field) -> bool:
    """Wait until every task has ended."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        field.revive()
        if not Task.objects.filter(status__in=[Task.QUEUED, Task.PROGRESS, Task.SCHEDULED]).exists():
            return True
        time.sleep(0.5)
    return False


def _judge(field: Field, faults: Faults, producer: Producer, drained: bool, added: int) -> dict[str, Any]:
    record = faults.record
    runs = runs_of(field.events())
    attempts = {json.loads(args)["key"]: attempt for args, attempt in Task.objects.values_list("args", "attempt")}
    lost = [key for key, _ in producer.committed if not any(run.end for run in runs.get(key, ()))]
    overlaps = two_at_once(runs, record)
    written = history.read(field.history)
    verdict = check(written, final_rows(), Rules(MAX_LOSSES, MAX_ATTEMPTS), field.lease)
    repeated, bound = repeats(runs, attempts), unstored(written, record)
    statuses = Counter(Task.objects.values_list("status", flat=True))
    done = Task.objects.filter(task__endswith="adds_one", status=Task.COMPLETED).count()
    wrong = [
        *([f"not drained: {dict(statuses)}"] if not drained else []),
        *([f"lost: {lost[:5]}"] if lost else []),
        *([f"two at once: {overlaps[:3]}"] if overlaps else []),
        *([f"{added} effects of {done} atomic tasks"] if added != done else []),
        *([f"{repeated} repeats, at most {bound}"] if repeated > bound else []),
        *([f"statuses {dict(statuses)}"] if set(statuses) - {Task.COMPLETED} else []),
        *_tracebacks(field),
        *verdict.forbidden,
    ]
    return {
        "database": settings.DATABASES["default"]["ENGINE"].rpartition(".")[2],
        "seed": field.seed,
        "tasks": len(producer.committed),
        "faults": record.kinds,
        "runners killed": record.runners_killed,
        "workers killed": record.workers_killed,
        "repeats": repeated,
        "repeats allowed": bound,
        "lost": len(lost),
        "two at once": len(overlaps),
        "atomic effects": f"{added} of {done}",
        "longest to rescue, s": round(longest_to_rescue(written, record), 1),
        "history": {"events checked": verdict.events, "forbidden": len(verdict.forbidden)},
        "wrong": wrong,
    }


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
