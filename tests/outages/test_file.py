"""SQLite's own weather: somebody writes for long, the disk is full, the folder is read-only, a reader stays."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path

from django.db import connection, transaction

from django_simple_queue import create_tasks
from django_simple_queue.models import Task
from tests.worker.stage import Stage, create, eventually

from .ground import ask, on_database, sqlite_file
from .judge import SAID, Watched, assert_each_ran_once, await_all
from .small import kilobytes_of, small_file_system
from .test_refusals import noise
from .test_server import LEASE, two_workers


def test_a_long_write_transaction_makes_nobody_dead(file_stage: Stage) -> None:
    """Seven leases during which nobody can beat, claim or store a result."""
    stage = file_stage
    workers = two_workers(stage)
    running = [create("wait_for", {"name": "early" if i % 2 else "late", "text": f"result {i}"}) for i in range(4)]
    stage.await_starts(4)
    waiting = [create("run") for _ in range(10)]
    with transaction.atomic():
        Task.objects.filter(pk=waiting[0].pk).update(log=None)
        stage.let("early")
        time.sleep(20.0)
    stage.let("late")
    await_all(running + waiting)
    time.sleep(1.2 * LEASE)  # whoever were taken for dead now would be so for what happened then
    assert_each_ran_once(stage, running + waiting)
    for worker in workers:
        worker.assert_unharmed()
        worker.assert_stops()


def test_a_full_disk_and_a_read_only_folder_are_waited_for(file_stage: Stage) -> None:
    """What the tasks wrote down tells: the file is reached in the namespace alone, where SQLite follows no link to."""
    stage, usual = file_stage, Path(connection.settings_dict["NAME"])
    tasks = []
    for name in ("first", "second"):
        tasks += [create("wait_for", {"name": name, "text": noise(60_000)}) for _ in range(4)]
        tasks += [create("run", {"text": noise(60_000)}) for _ in range(6)]
    connection.close()
    with small_file_system(kilobytes_of(usual.parent) + 4096) as small:
        small.copy(usual.parent)
        inside = on_database(sqlite_file(small.inside))
        workers = [
            Watched(stage.ready("--processes", "2", "--name", name, launcher=small.enter, **inside), 2)
            for name in ("north", "south")
        ]
        faults = [(small.fill, small.make_room), (small.make_read_only, small.make_writable)]
        for number, (spoil, mend) in enumerate(faults):
            stage.await_starts(number * 10 + 4)
            before = {worker: worker.said(SAID) for worker in workers}
            spoil()
            stage.let(("first", "second")[number])
            for worker in workers:
                eventually(lambda worker=worker, before=before: worker.said(SAID) > before[worker], "a word about it")
            time.sleep(1.2 * LEASE)
            mend()
            eventually(lambda number=number: len(stage.notes("end")) >= number * 10 + 10, "the rest")
        for worker in workers:
            worker.assert_unharmed(outages=2)
            worker.assert_stops()
        shutil.copy(small.data / usual.name, usual)
    assert_each_ran_once(stage, tasks)
    for task in Task.objects.all():
        assert task.output == json.loads(task.args)["text"]


def test_a_reader_that_stays_lets_the_log_grow_and_no_longer_than_it_stays(file_stage: Stage) -> None:
    """In WAL mode its old snapshot keeps the log from being used anew."""
    ask("PRAGMA journal_mode = WAL")
    name = connection.settings_dict["NAME"]
    log = Path(f"{name}-wal")
    reader = sqlite3.connect(name, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM django_simple_queue_task").fetchone()
    workers = [Watched(file_stage.ready("--processes", "2"), 2)]
    create_tasks([{"task": "tests.jobs.evidence.varied", "args": {"size": 10}}] * 5000)
    eventually(lambda: Task.objects.filter(status=Task.COMPLETED).count() == 5000, "all tasks", seconds=60)
    grown = log.stat().st_size
    assert reader.execute("SELECT count(*) FROM django_simple_queue_task").fetchone() == (0,)
    reader.execute("COMMIT")
    reader.close()
    eventually(lambda: ask("PRAGMA wal_checkpoint(TRUNCATE)") == 0, "a moment at which no worker reads")
    more = create_tasks([{"task": "tests.jobs.evidence.varied", "args": {"size": 10}}] * 2000)
    eventually(lambda: Task.objects.filter(pk__in=more, status=Task.COMPLETED).count() == 2000, "more", seconds=60)
    assert log.stat().st_size < grown / 2, "its start is not used anew"
    for worker in workers:
        worker.assert_unharmed(outages=0)
        worker.assert_stops()
    connection.close()
    assert not log.exists(), "the last one to leave empties it"
