"""A worker that runs what there is, and ends."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from django_simple_queue import create_tasks
from django_simple_queue.models import Task, Worker

from .stage import Stage, create, nothing_held, row


def many(count: int, name: str = "run", **args: object) -> None:
    create_tasks([{"task": f"tests.jobs.evidence.{name}", "args": args} for _ in range(count)])


def test_a_burst_runs_all_and_leaves_nothing(stage: Stage) -> None:
    many(300)
    stage.burst()
    assert len(stage.starts()) == 300
    assert set(stage.starts().values()) == {1}
    assert not Task.objects.exclude(status=Task.COMPLETED).exists()
    assert nothing_held()
    assert not Worker.objects.exists()


def test_a_burst_on_an_empty_queue_ends_at_once(stage: Stage) -> None:
    stage.burst()


@pytest.mark.parametrize("options", [(), ("--processes", "2"), ("--threads", "4"), ("--max-tasks", "1")])
def test_a_burst_runs_what_its_tasks_enqueue(stage: Stage, options: tuple[str, ...]) -> None:
    create("enqueue_more", {"depth": 8})
    stage.burst(*options)
    assert len(stage.starts()) == 9


def test_a_burst_does_not_wait_for_what_is_not_due(stage: Stage) -> None:
    later = create("run", run_after=timedelta(hours=1))
    stage.burst()
    assert row(later).status == Task.SCHEDULED


def test_a_burst_stays_for_retries_that_are_due(stage: Stage) -> None:
    """A failed attempt that is due now is runnable now."""
    task = create("tests.jobs.tasks.fail", max_attempts=3)
    stage.burst(settings={"retry_backoff": 0})
    assert row(task).status == Task.FAILED
    assert row(task).attempt == 3


def test_a_burst_stays_for_what_a_dead_runner_claimed_late(stage: Stage) -> None:
    """Its last claim may have been carried out after its page was settled: it is held under a number on no page."""
    blocker, late = create("wait_for", {"name": "go"}), create("run", run_after=timedelta(hours=1))
    worker = stage.worker("--burst", settings={"heartbeat_seconds": 20, "lease_seconds": 60})
    stage.await_starts(1)
    held = {"status": Task.PROGRESS, "holder": (row(blocker).holder or 0) + 2**30, "run_after": None}
    Task.objects.filter(pk=late.pk).update(**held)
    stage.let("go")
    assert worker.wait() == 0
    assert (row(late).status, row(late).losses) == (Task.COMPLETED, 0)


def test_four_workers_share_the_work(stage: Stage) -> None:
    many(2000, seconds=0.002)
    workers = [stage.worker("--burst", "--name", f"w{i}") for i in range(4)]
    for worker in workers:
        assert worker.wait(60) == 0, worker.said
        assert not worker.crashes, worker.said
        assert "is locked" not in worker.said
    assert len(stage.starts()) == 2000
    assert set(stage.starts().values()) == {1}
    share = Counter(Task.objects.values_list("worker", flat=True))
    assert min(share[f"w{i}"] for i in range(4)) >= 200, share


WRITE_ALWAYS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("CREATE TABLE IF NOT EXISTS noise (n)")
print("ready", flush=True)
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO noise VALUES (1)")
    time.sleep(0.01)
    connection.execute("COMMIT")
    time.sleep(0.002)
"""


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of files with one writer")
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_nothing_is_lost_to_a_locked_file(stage: Stage, mode: str) -> None:
    """Also in rollback-journal mode, where readers lock writers out, and beside a process that writes in a loop."""
    many(300)
    connection.close()
    name = connection.settings_dict["NAME"]
    file = sqlite3.connect(name, timeout=20)
    before = file.execute("PRAGMA journal_mode").fetchone()[0]
    file.execute(f"PRAGMA journal_mode = {mode}")
    file.close()
    noise = subprocess.Popen([sys.executable, "-c", WRITE_ALWAYS, str(name)], stdout=subprocess.PIPE)
    try:
        assert noise.stdout is not None
        noise.stdout.readline()
        workers = [stage.worker("--burst", "--processes", "2") for _ in range(2)]
        for worker in workers:
            assert worker.wait(60) == 0, worker.said
            assert not worker.crashes, worker.said
    finally:
        noise.kill()
        noise.communicate()
        with sqlite3.connect(name, timeout=20) as file:
            file.execute("DROP TABLE IF EXISTS noise")
            file.commit()
            file.execute(f"PRAGMA journal_mode = {before}")
    assert len(stage.starts()) == 300
    assert set(stage.starts().values()) == {1}
    assert Task.objects.filter(status=Task.COMPLETED).count() == 300
