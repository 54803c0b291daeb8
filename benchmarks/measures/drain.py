"""A backlog is worked off: tasks a second between its first and last tenth."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.counters import totals
from benchmarks.driver.processes import Workers
from benchmarks.measures.subject import Figures, Subject, commands

FIRST = 500  # tasks, before it is known how many a peer does
MOST = 200_000
LOOK, SELDOM = 0.025, 1.0  # seconds between two looks at what is left, at least and at most
LIMIT = 20.0  # seconds; a peer that needs more is measured by what it did


@dataclass(slots=True)
class Course:
    """How a backlog became less, and what was used between the first and the last tenth."""

    count: int
    seen: list[tuple[float, int]] = field(default_factory=list)  # when, how many were done
    used: dict[str, tuple[float, int]] = field(default_factory=dict)  # by what: seconds of CPU, for how many tasks

    @property
    def finished(self) -> bool:
        return bool(self.seen) and self.seen[-1][1] >= self.count

    def when(self, share: float) -> float:
        """When that share was done, between two looks as if by a ruler."""
        wanted = self.count * share
        before = self.seen[0]
        for at, done in self.seen:
            if done >= wanted:
                rise = done - before[1]
                return at if rise <= 0 else before[0] + (at - before[0]) * (wanted - before[1]) / rise
            before = at, done
        return self.seen[-1][0]

    @property
    def seconds(self) -> float:
        """Between the first and the last tenth."""
        return max(self.when(0.9) - self.when(0.1), 1e-3)

    @property
    def rate(self) -> float:
        if self.finished:
            return self.count * 0.8 / self.seconds
        began = next((one for one in self.seen if one[1]), self.seen[-1])
        end = self.seen[-1]
        return (end[1] - began[1]) / max(end[0] - began[0], 1e-3)


def drain(subject: Subject, kind: str, processes: int) -> Figures:
    """With so many worker processes, no-op tasks or others."""
    words = commands(subject, "workers", processes)
    course, statements = sized(subject, (kind, processes), kind, words)
    plural = "es" if processes > 1 else ""
    figures = {f"drain {kind}, {processes} process{plural} /s": course.rate}
    if kind == "noop":
        for who, (seconds, tasks) in course.used.items():
            if tasks:
                figures[f"CPU µs a task, {who}, {processes} process{plural}"] = seconds / tasks * 1e6
        if statements is not None:
            figures[f"{subject.database.counted} a task, {processes} process{plural}"] = statements
    return figures


def sleepers(subject: Subject, at_once: int = 8) -> Figures:
    """Tasks of 20 ms, so many at once: a share of what would be possible without a queue."""
    course, _ = sized(subject, ("sleep20", "at once"), "sleep20", commands(subject, "at_once", at_once))
    return {f"drain sleep20, {at_once} at once, of the ideal": course.rate / (at_once / 0.020)}


def sized(subject: Subject, key: object, kind: str, words: list[list[str]]) -> tuple[Course, float | None]:
    """Work off a backlog that is as large as the peer is fast; the first time, ever larger ones until that is known."""
    known = subject.sizes.get(key)
    count = known or FIRST
    while True:
        course, statements = work_off(subject, kind, count, words)
        fits = min(MOST, max(200, int(course.rate * subject.seconds / 0.8)))
        if known or not course.finished or course.seconds > subject.seconds / 2 or count >= MOST:
            subject.sizes.setdefault(key, fits)
            return course, statements
        # What starts up, and the last batch, make a short run's rate a guess.
        count = min(fits, count * 20) if fits > count else count * 2


def work_off(
    subject: Subject,
    kind: str,
    count: int,
    words: list[list[str]],
    *,
    empty: bool = True,
    settle: bool = True,
    limit: float = LIMIT,
) -> tuple[Course, float | None]:
    """Fill, start workers, watch; the course, and statements a task if the server counts them."""
    database = subject.database
    if empty:
        subject.agent.call("empty")
    subject.agent.call("fill", kind, count)
    left = subject.left()
    subject.agent.close()
    if settle:
        database.settle()
    there = int(database.value(left))
    before = database.statements()
    # Where no server counts, our own worker does, in files.
    with TemporaryDirectory(prefix="dsq-bench-") as counts:
        with subject.workers(words, **({"BENCH_COUNTS": counts} if before is None else {})) as workers:
            course = watch(subject, left, there, workers, limit)
        after = database.statements()
        if before is None or after is None:
            before, after = 0, totals(Path(counts), 1)[0]
    done = course.seen[-1][1]
    return course, (after - before) / done if done and after > before else None


def watch(
    subject: Subject,
    left: str,
    count: int,
    workers: Workers,
    limit: float,
    *,
    look: float = LOOK,
    enough: int | None = None,
) -> Course:
    """Until all are done, or enough of them."""
    course = Course(enough or count)
    database = subject.database
    began = time.monotonic()
    marks: list[tuple[int, float, float | None]] = []
    while not course.finished and time.monotonic() - began < limit:
        asked = time.monotonic()
        done = count - int(database.value(left))
        answered = time.monotonic()
        course.seen.append(((asked + answered) / 2, done))
        if (len(marks) < 1 and done >= course.count * 0.1) or (len(marks) == 1 and done >= course.count * 0.8):
            marks.append((done, workers.cpu_seconds(), database.server_cpu_seconds()))
        workers.check()
        # Looking must not be what the server is busy with; but one slow answer must not hide all that follows.
        time.sleep(min(SELDOM, max(look, 10 * (answered - asked))))
    if len(marks) == 2:
        (first, worker, server), (last, worker_then, server_then) = marks
        course.used["workers"] = worker_then - worker, last - first
        if server is not None and server_then is not None:
            course.used["server"] = server_then - server, last - first
    return course
