"""A worker has nothing to do: how soon it begins a task, what it asks the server meanwhile, its memory."""

from __future__ import annotations

import random
import statistics
import time

from benchmarks.measures.stamps import Stamps, percentiles, stamped
from benchmarks.measures.subject import Figures, Subject

STAMPS = 50
TRIED, SLOW = 5, 1.2  # tasks; seconds that one of them takes if the peer cannot keep up
ENOUGH = 60.0  # seconds, after which a slow peer gets no more
QUIET = 3.0
PAUSE = 0.1, 0.4
WATCHED = 10.0
# A connection of PostgreSQL tells what it did at the latest after so long.
UNTOLD = {"postgresql": 10.5}


def idle(subject: Subject) -> Figures:
    with stamped(subject) as stamps:
        figures = latency(subject, stamps)
        subject.agent.close()
        figures |= quiet(subject)
        stamps.workers.check()
        figures["PSS MiB"] = stamps.workers.pss_mib()
        return figures | after_quiet(subject, stamps)


def latency(subject: Subject, stamps: Stamps) -> Figures:
    """From commit to start, in ms, of tasks that come whenever they like.

    The next one does not wait for the one before, or a peer that looks each second would always be asked just after it
    looked. Only one that cannot keep up is waited for, and then asked after a pause of up to twice what it takes.
    """
    chance = random.Random()
    added = iter(range(STAMPS * 2))
    tried = [wait(subject, stamps, next(added), chance.uniform(*PAUSE)) for _ in range(TRIED)]
    began = time.monotonic()
    waits: list[float] = []
    if max(tried) > SLOW:
        while len(waits) < STAMPS and time.monotonic() - began < ENOUGH:
            waits.append(wait(subject, stamps, next(added), chance.uniform(0, 2 * max(tried))))
    else:
        made = {}
        for _ in range(STAMPS):
            time.sleep(chance.uniform(*PAUSE))
            n = next(added)
            made[n] = float(subject.agent.call("add_timed", "stamp", 1, n))
        waits = stamps.waits(made)
    return percentiles("latency", waits)


def after_quiet(subject: Subject, stamps: Stamps) -> Figures:
    """A worker that has had nothing to do for longer may look less often."""
    waits = [wait(subject, stamps, n, QUIET) for n in (1001, 1002, 1003)]
    return {f"latency after {QUIET:g} s ms": statistics.median(waits) * 1000}


def wait(subject: Subject, stamps: Stamps, n: int, pause: float) -> float:
    """Seconds from commit to start of one task, which is added after a pause."""
    time.sleep(pause)
    made = float(subject.agent.call("add_timed", "stamp", 1, n))
    return stamps.waits({n: made})[0]


def quiet(subject: Subject) -> Figures:
    """Statements a second of a worker that waits."""
    database = subject.database
    if database.kind == "sqlite":
        time.sleep(1)
        return {}
    time.sleep(UNTOLD.get(database.kind, 1.0))
    before, began = database.statements(), time.monotonic()
    time.sleep(WATCHED)
    after, ended = database.statements(), time.monotonic()
    assert before is not None
    assert after is not None
    return {f"{database.counted} /s when idle": max(0.0, (after - before) / (ended - began))}
