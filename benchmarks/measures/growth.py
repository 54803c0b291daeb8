"""What a table that has grown does to our own queue: rows that are no work, old statistics, a forgotten transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.common import number
from benchmarks.driver.databases import Database
from benchmarks.measures.drain import LIMIT, LOOK, Course, watch, work_off
from benchmarks.measures.subject import Subject
from benchmarks.tables import EMPTY_TABLE

DRAINED = 20_000
WAITING = (1000, 100_000)  # tasks at the start, and as many as rows are asked for
PINNED = 100_000  # tasks that pass under a snapshot that somebody holds
SOON = 0.002  # seconds between two looks at so few tasks that they take less than a tenth of one
# What peers/django_project/ballast.py inserts.
BALLAST = ("finished", "later", "elsewhere")
SNAPSHOT = {
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class"),
    "mysql": ("START TRANSACTION WITH CONSISTENT SNAPSHOT",),
    "mariadb": ("START TRANSACTION WITH CONSISTENT SNAPSHOT",),
    "sqlite": ("BEGIN", "SELECT count(*) FROM django_simple_queue_task"),
}


def growth(subject: Subject, rows: int, repeat: int) -> dict[str, list[float]]:
    """Tasks a second by one process, which works on one queue of several."""
    found: dict[str, list[float]] = {}
    words: list[list[str]] = subject.agent.call("workers_of_queue", subject.configuration)

    def measured(name: str, *, empty: bool = True, settle: bool = True, count: int = DRAINED) -> Course:
        course, _ = work_off(subject, "noop", count, words, empty=empty, settle=settle)
        record(name, course)
        return course

    def record(name: str, course: Course) -> None:
        found.setdefault(name, []).append(course.rate)
        print(f"  {name}: {number(course.rate)} /s", flush=True)

    for _ in range(repeat):
        subject.agent.call("empty")
        subject.database.settle()
        measured("right after a bulk load, statistics of an empty table", settle=False)
        measured("fresh statistics")
        with snapshot(subject.database):
            measured("under a snapshot, from its start", empty=False)
            work_off(subject, "noop", PINNED, words, empty=False, limit=600)
            measured(f"under a snapshot, after {PINNED + DRAINED:,} tasks", empty=False)
        measured(EMPTY_TABLE)
        for sort in BALLAST:
            subject.agent.call("ballast", sort, rows)
            measured(f"with {rows:,} more: {sort}", empty=False)
        for count in dict.fromkeys((*WAITING, rows)):
            record(name_of(count), waiting(subject, count, words))
    subject.agent.call("empty")
    return found


def name_of(count: int) -> str:
    return f"with {count:,} tasks waiting{f', the first {DRAINED:,} of them' if count > DRAINED else ''}"


def waiting(subject: Subject, count: int, words: list[list[str]]) -> Course:
    """The first tasks of so many, on a table that holds nothing else."""
    subject.agent.call("empty")
    subject.agent.call("ballast", "waiting", count)
    left: str = subject.agent.call("left_of_waiting", count)
    subject.agent.close()
    subject.database.settle()
    with subject.workers(words) as workers:
        return watch(
            subject, left, count, workers, LIMIT, look=SOON if count < DRAINED else LOOK, enough=min(count, DRAINED)
        )


@contextmanager
def snapshot(database: Database) -> Iterator[None]:
    """Somebody's transaction that sees what there is now, and stays open."""
    connection = database.connect(database.url)
    cursor = connection.cursor()
    try:
        for sql in SNAPSHOT[database.kind]:
            cursor.execute(sql)
            if cursor.description:
                cursor.fetchall()
        yield
    finally:
        connection.close()
