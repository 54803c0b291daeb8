"""A million tasks pass through one process of our own queue: what the worker's processes have in memory meanwhile."""

from __future__ import annotations

import time

from benchmarks.common import number
from benchmarks.measures.subject import Subject, commands

EVERY = 1.0  # seconds
PORTION, AHEAD = 5000, 10_000  # tasks: so many are added as soon as fewer than so many wait
PAUSE = 0.2  # seconds between two looks at what is left
PATIENCE = 60.0  # seconds in which no task has passed
SHOWN = 10  # lines while it runs


def memory(subject: Subject, tasks: int) -> list[tuple[int, float]]:
    """How many tasks have passed, and PSS of the worker with all its children in MiB, about each second."""
    database = subject.database
    subject.agent.call("empty")
    left = subject.left()
    samples: list[tuple[int, float]] = []
    added = passed = 0
    with subject.workers(commands(subject, "workers", 1)) as workers:
        moved = sampled = time.monotonic()
        while passed < tasks:
            if added < tasks and added - passed < AHEAD:
                portion = min(PORTION, tasks - added)
                subject.agent.call("fill", "noop", portion)
                added += portion
            before, passed = passed, added - int(database.value(left))
            now = time.monotonic()
            moved = now if passed > before else moved
            if passed and (now - sampled >= EVERY or passed == tasks):
                samples.append((passed, workers.pss_mib()))
                sampled = now
                if passed * SHOWN // tasks > before * SHOWN // tasks:
                    print(f"  {passed:,} tasks: {number(samples[-1][1])} MiB", flush=True)
            workers.check()
            if now - moved > PATIENCE:
                raise TimeoutError(f"no task was finished within {PATIENCE:g} s; {passed:,} had been")
            time.sleep(PAUSE)
    return samples
