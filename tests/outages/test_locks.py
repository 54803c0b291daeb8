"""Other people's locks on the task table, and deadlocks with them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from django_simple_queue import create_tasks
from django_simple_queue.models import Task
from tests.worker.stage import Stage, create

from .ground import Ground, ask
from .judge import Watched, assert_each_ran_once, await_all

HOLD = 5.0  # seconds, longer than a lease
TABLE = Task._meta.db_table


@contextmanager
def all_rows() -> Iterator[None]:
    with transaction.atomic():
        assert list(Task.objects.select_for_update())
        yield


@contextmanager
def table() -> Iterator[None]:
    """As ALTER TABLE does: nobody may even read."""
    if connection.vendor == "postgresql":
        with transaction.atomic():
            ask(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            yield
        return
    ask(f"LOCK TABLES {TABLE} WRITE")
    try:
        yield
    finally:
        ask("UNLOCK TABLES")


@pytest.mark.parametrize("lock", [all_rows, table], ids=["rows", "table"])
def test_locks_held_for_longer_than_a_lease_cost_nothing(
    ground: Ground, stage: Stage, lock: Callable[[], AbstractContextManager[None]]
) -> None:
    workers = [stage.ready("--processes", "2", "--name", name) for name in ("north", "south")]
    running = [create("wait_for", {"name": "go", "text": "kept"}) for _ in range(3)]
    stage.await_starts(3)
    waiting = [create("run", run_after=None if i % 2 else timedelta(seconds=1)) for i in range(6)]
    with lock():
        stage.let("go")
        time.sleep(HOLD)
    await_all(running + waiting)
    assert_each_ran_once(stage, running + waiting)
    for worker in workers:
        assert worker.popen.poll() is None
        assert "claim was lost" not in worker.said, worker.said
        assert worker.stop() == 0
        assert not worker.crashes, worker.said


def deadlocks() -> int:
    if connection.vendor == "postgresql":
        return int(ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    if connection.mysql_is_mariadb:
        sql = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'"
    else:
        sql = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
    return int(ask(sql))


def test_deadlocks_with_other_transactions_cost_nothing(ground: Ground, stage: Stage) -> None:
    """Somebody locks rows that are being finished, in no order."""
    before = deadlocks()
    worker = Watched(stage.ready("--processes", "2"), 2)
    tasks: list[Task] = []
    end = time.monotonic() + 30
    while deadlocks() < before + 3:
        assert time.monotonic() < end, "no deadlocks came about"
        if Task.objects.filter(status=Task.QUEUED).count() < 100:
            keys = create_tasks([{"task": "tests.jobs.evidence.run"}] * 300)
            tasks += Task.objects.filter(pk__in=keys)
        try:
            with transaction.atomic():
                held = list(Task.objects.filter(status=Task.PROGRESS).values_list("pk", flat=True)[:100])
                random.shuffle(held)
                for key in held:
                    Task.objects.select_for_update().filter(pk=key).first()
        except OperationalError:
            continue
    await_all(tasks, seconds=60)
    assert_each_ran_once(stage, tasks)
    worker.assert_unharmed(outages=0)
    worker.assert_stops()
