"""A worker has nothing to do: how soon it begins a task, what it asks the server meanwhile, its memory."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.driver.processes import Workers
from benchmarks.measures.subject import Figures, Subject, commands

STAMPS = 50
TRIED, SLOW = 5, 1.2  # tasks; seconds that one of them takes if the peer cannot keep up
ENOUGH = 60.0  # seconds, after which a slow peer gets no more
QUIET = 3.0
PAUSE = 0.1, 0.4
WATCHED = 10.0
# A connection of PostgreSQL tells what it did at the latest after so long.
UNTOLD = {"postgresql": 10.5}
PATIENCE = 30.0


def idle(subject: Subject) -> Figures:
    subject.agent.call("empty")
    words = commands(subject, "workers", 1)
    with tempfile.TemporaryDirectory(prefix="dsq-bench-") as folder:
        stamps = Path(folder) / "stamps"
        stamps.touch()
        with subject.workers(words, BENCH_STAMPS=str(stamps)) as workers:
            subject.agent.call("add", "stamp", -1)
            until_there(stamps, {-1}, workers)
            figures = latency(subject, stamps, workers)
            subject.agent.close()
            figures |= quiet(subject)
            workers.check()
            figures["PSS MiB"] = workers.pss_mib()
            return figures | after_quiet(subject, stamps, workers)


def latency(subject: Subject, stamps: Path, workers: Workers) -> Figures:
    """From commit to start, in ms, of tasks that come whenever they like.

    The next one does not wait for the one before, or a peer that looks each second would always be asked just after it
    looked. Only one that cannot keep up is waited for, and then asked after a pause of up to twice what it takes.
    """
    chance = random.Random()
    added = iter(range(STAMPS * 2))
    tried = [wait(subject, stamps, workers, next(added), chance.uniform(*PAUSE)) for _ in range(TRIED)]
    began = time.monotonic()
    waits: list[float] = []
    if max(tried) > SLOW:
        while len(waits) < STAMPS and time.monotonic() - began < ENOUGH:
            waits.append(wait(subject, stamps, workers, next(added), chance.uniform(0, 2 * max(tried))))
    else:
        made = {}
        for _ in range(STAMPS):
            time.sleep(chance.uniform(*PAUSE))
            n = next(added)
            made[n] = float(subject.agent.call("add_timed", "stamp", 1, n))
        ran = until_there(stamps, set(made), workers)
        waits = [max(0.0, ran[n] - at) for n, at in made.items()]
    waits.sort()
    middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
    return {"latency p50 ms": middle * 1000, "latency p95 ms": late * 1000, "latency max ms": waits[-1] * 1000}


def after_quiet(subject: Subject, stamps: Path, workers: Workers) -> Figures:
    """A worker that has had nothing to do for longer may look less often."""
    waits = [wait(subject, stamps, workers, n, QUIET) for n in (1001, 1002, 1003)]
    return {f"latency after {QUIET:g} s ms": statistics.median(waits) * 1000}


def wait(subject: Subject, stamps: Path, workers: Workers, n: int, pause: float) -> float:
    """Seconds from commit to start of one task, which is added after a pause."""
    time.sleep(pause)
    made = float(subject.agent.call("add_timed", "stamp", 1, n))
    return max(0.0, until_there(stamps, {n}, workers)[n] - made)


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


def until_there(stamps: Path, wanted: set[int], workers: Workers) -> dict[int, float]:
    """When each was run, the first time."""
    end = time.monotonic() + PATIENCE
    while True:
        ran: dict[int, float] = {}
        for line in stamps.read_text(encoding="ascii").splitlines():
            n, at = line.split()
            ran.setdefault(int(n), float(at))
        if wanted <= set(ran):
            return ran
        workers.check()
        if time.monotonic() > end:
            raise TimeoutError(f"{len(wanted - set(ran))} of {len(wanted)} tasks did not run within {PATIENCE:g} s")
        time.sleep(0.02)
