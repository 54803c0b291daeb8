"""What a task does to its connection stays there: the queue has its own, and the next task gets a fresh one."""

from __future__ import annotations

import pytest
from django.db import connection

from django_simple_queue.models import Task

from .stage import Stage, await_status, create, row

# What a session can be told that would disturb whoever uses it next.
SESSION = {
    "postgresql": [
        "SET TIME ZONE 'Asia/Tokyo'",
        "SET search_path TO nowhere",
        "SET default_transaction_isolation TO 'serializable'",
        "SET default_transaction_read_only TO on",
        "SET statement_timeout TO 1",
    ],
    "mysql": [
        "SET SESSION time_zone = '+09:00'",
        "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION TRANSACTION READ ONLY",
        "SET autocommit = 0",
        "SET NAMES latin1",
        "USE information_schema",
    ],
    "sqlite": ["PRAGMA query_only = 1", "PRAGMA foreign_keys = 0", "PRAGMA busy_timeout = 0", "BEGIN EXCLUSIVE"],
}


@pytest.mark.parametrize("options", [("--processes", "1"), ("--threads", "2")])
def test_what_a_task_does_to_its_connection_stays_there(stage: Stage, options: tuple[str, str]) -> None:
    statements = SESSION.get(connection.vendor, [])
    bad = [create("tests.jobs.lethal.changes_its_session", {"statements": [each]}) for each in statements]
    bad += [create("tests.jobs.lethal.leaves_a_transaction") for _ in range(2)]
    good = []
    for _ in range(5):
        good += [create("asks_the_database"), create("run", {"text": "grüße"})]
    failing = create("tests.jobs.tasks.fail", max_attempts=2)
    worker = stage.ready(*options, settings={"retry_backoff": 0})
    for task in (*bad, *good, failing):
        await_status(task, Task.FAILED if task is failing else Task.COMPLETED)
    # Now where it leads: this stays, as a project may mean it, but the queue does not follow.
    bad.append(create("tests.jobs.lethal.changes_its_settings"))
    await_status(bad[-1], Task.COMPLETED)
    last = create("run", {"text": "grüße"})
    assert await_status(last, Task.COMPLETED).output == "grüße"
    assert worker.stop() == 0
    assert not worker.crashes, worker.said
    assert {stage.starts()[str(task.id)] for task in [*bad, last]} == {1}
    assert {row(task).losses for task in [*bad, *good, last]} == {0}
    # Times are the queue's clock's, whatever zone a task has set.
    done = row(last)
    assert done.started_at
    assert done.finished_at
    assert 0 <= (done.finished_at - done.started_at).total_seconds() < 60
    assert abs((done.finished_at - done.created).total_seconds()) < 60
