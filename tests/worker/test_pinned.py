"""Somebody's old snapshot keeps the database from clearing away what is done: claims meet it, and keep their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from django_simple_queue import create_task, create_tasks
from django_simple_queue.backends import OwnSession
from django_simple_queue.models import Task

from .stage import Stage, eventually, nothing_held

SNAPSHOT = {
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ",),
    # READ COMMITTED, which a connection of ours has, would see each change.
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    ),
}
PASSED = 5000
NEW = 30

pytestmark = pytest.mark.skipif(
    connection.vendor not in SNAPSHOT, reason="SQLite reads past nothing: what is done is not in its indexes any more"
)


@contextmanager
def snapshot() -> Iterator[OwnSession]:
    """Somebody's transaction that goes on seeing what there is now."""
    session = OwnSession()
    try:
        for sql in SNAPSHOT[connection.vendor]:
            session.write(sql)
        queued(session)  # on PostgreSQL the first statement takes it
        yield session
    finally:
        session.close()


def queued(session: OwnSession) -> int:
    count: int = session.rows(f"SELECT count(*) FROM {Task._meta.db_table} WHERE status = {Task.QUEUED}")[0][0]
    return count


def completed() -> int:
    return Task.objects.filter(status=Task.COMPLETED).count()


@pytest.mark.parametrize("options", [(), ("--queue", "default")])
def test_what_is_urgent_starts_first_though_dead_rows_are_in_its_way(stage: Stage, options: tuple[str, ...]) -> None:
    create_tasks({"task": "tests.jobs.tasks.noop", "priority": n % 201 - 100} for n in range(PASSED))
    with snapshot() as old:
        worker = stage.ready(*options)
        eventually(lambda: completed() == PASSED, f"the end of {PASSED} tasks")
        # One commit, so that the worker finds all of them at once.
        urgent = create_tasks(
            {"task": "tests.jobs.evidence.run", "priority": 100 if n == NEW - 1 else n} for n in range(NEW)
        )[-1]
        eventually(lambda: completed() == PASSED + NEW, "the end of the new ones")
        last = create_task("tests.jobs.evidence.run", priority=-100)
        eventually(lambda: completed() == PASSED + NEW + 1, "the end of the last one")
        assert queued(old) == PASSED  # as it was: nothing has been cleared away
    order = [task for _, task, _ in stage.notes("start")]
    assert (order[0], order[-1]) == (str(urgent), str(last))
    assert len(order) == len({*order}) == NEW + 1
    assert worker.stop() == 0
    assert nothing_held()
