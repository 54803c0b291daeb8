"""A worker has nothing to do: how soon it begins a task, what it asks the server meanwhile, its memory."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from benchmarks.driver.processes import Workers
from benchmarks.measures.subject import Figures, Subject, commands

STAMPS = 50
ENOUGH = 60.0  # seconds, after which a slow peer gets no more
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
            return figures | {"PSS MiB": workers.pss_mib()}


def latency(subject: Subject, stamps: Path, workers: Workers) -> Figures:
    """From commit to start, in ms; each task is added when the one before has run."""
    pauses = random.Random(1)  # alike for all
    waits: list[float] = []
    began = time.monotonic()
    for n in range(STAMPS):
        time.sleep(pauses.uniform(*PAUSE))
        made = float(subject.agent.call("add_timed", "stamp", 1, n))
        waits.append(max(0.0, (until_there(stamps, {n}, workers)[n] - made) * 1000))
        if time.monotonic() - began > ENOUGH:
            break
    waits.sort()
    middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
    return {"latency p50 ms": middle, "latency p95 ms": late, "latency max ms": waits[-1]}


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
