"""A worker is busy about half of the time: how long a task waits for its start."""

from __future__ import annotations

import itertools
import random
import time

from benchmarks.measures.stamps import Stamps, percentiles, stamped
from benchmarks.measures.subject import Figures, Subject

KIND, EVERY = "sleep20", 0.040  # seconds: one each, so that one process at a time is busy for half of them
AMONG = 5  # so many of those for each task whose wait is measured
WARM_UP = 25  # of those, before anything is measured
STAMPS = 100


def load(subject: Subject) -> Figures:
    """A process that runs one task at a time and loses no time between them: p50 about 0, p95 about 18 ms."""
    with stamped(subject) as stamps:
        return percentiles("at half load", waits(subject, stamps))


def waits(subject: Subject, stamps: Stamps) -> list[float]:
    """From commit to start, of tasks that come at random moments of an even stream, whatever became of others."""
    chance = random.Random()
    made: dict[int, float] = {}
    began = time.monotonic()
    for number in itertools.count():
        until(began + number * EVERY)
        subject.agent.call("add", KIND, number)
        if number >= WARM_UP and number % AMONG == 0:
            until(began + (number + chance.random()) * EVERY)
            made[number] = float(subject.agent.call("add_timed", "stamp", 1, number))
            if len(made) == STAMPS:
                break
    return stamps.waits(made)


def until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
