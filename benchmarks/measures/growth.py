"""What a table that has grown does to our own queue: rows that are no work, old statistics, a forgotten transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.common import number
from benchmarks.driver.databases import Database
from benchmarks.measures.drain import Course, work_off
from benchmarks.measures.subject import Subject

DRAINED = 20_000
PINNED = 100_000  # tasks that pass under a snapshot that somebody holds
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
        found.setdefault(name, []).append(course.rate)
        print(f"  {name}: {number(course.rate)} /s", flush=True)
        return course

    for _ in range(repeat):
        subject.agent.call("empty")
        subject.database.settle()
        measured("right after a bulk load, statistics of an empty table", settle=False)
        measured("fresh statistics")
        with snapshot(subject.database):
            measured("under a snapshot, from its start", empty=False)
            work_off(subject, "noop", PINNED, words, empty=False, limit=600)
            measured(f"under a snapshot, after {PINNED + DRAINED:,} tasks", empty=False)
        measured("on an empty table")
        for sort in BALLAST:
            subject.agent.call("ballast", sort, rows)
            measured(f"with {rows:,} more: {sort}", empty=False)
    subject.agent.call("empty")
    return found


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
