"""A worker that runs `stamp` tasks, which write down when they start."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.driver.processes import Workers
from benchmarks.measures.subject import Figures, Subject, commands

PATIENCE = 30.0  # seconds


class Stamps:
    """What the workers' tasks wrote down, and the workers."""

    def __init__(self, file: Path, workers: Workers) -> None:
        self.file = file
        self.workers = workers

    def until_there(self, wanted: set[int]) -> dict[int, float]:
        """When each was run, the first time."""
        end = time.monotonic() + PATIENCE
        while True:
            ran: dict[int, float] = {}
            for line in self.file.read_text(encoding="ascii").splitlines():
                n, at = line.split()
                ran.setdefault(int(n), float(at))
            if wanted <= set(ran):
                return ran
            self.workers.check()
            if time.monotonic() > end:
                raise TimeoutError(f"{len(wanted - set(ran))} of {len(wanted)} tasks did not run within {PATIENCE:g} s")
            time.sleep(0.02)

    def waits(self, made: dict[int, float]) -> list[float]:
        """Seconds from commit, of which `made` says when it was, to start."""
        ran = self.until_there(set(made))
        return [max(0.0, ran[n] - at) for n, at in made.items()]


@contextmanager
def stamped(subject: Subject) -> Iterator[Stamps]:
    """One worker with one process on an empty queue, which has run its first task."""
    subject.agent.call("empty")
    words = commands(subject, "workers", 1)
    with tempfile.TemporaryDirectory(prefix="dsq-bench-") as folder:
        file = Path(folder) / "stamps"
        file.touch()
        with subject.workers(words, BENCH_STAMPS=str(file)) as workers:
            stamps = Stamps(file, workers)
            subject.agent.call("add", "stamp", -1)
            stamps.until_there({-1})
            yield stamps


def percentiles(name: str, waits: list[float]) -> Figures:
    """In ms."""
    waits = sorted(waits)
    of = {"p50": len(waits) // 2, "p95": int(len(waits) * 0.95), "max": -1}
    return {f"{name} {which} ms": waits[place] * 1000 for which, place in of.items()}
