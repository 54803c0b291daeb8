"""A backlog of small tasks: the last batch is stored while the next one is claimed, and no task notices."""

from __future__ import annotations

import os
import signal
import time

from django.db import connection

from django_simple_queue import create_tasks
from django_simple_queue.models import Task

from .stage import Stage, connections_of_others, eventually, nothing_held


def backlog(count: int) -> None:
    create_tasks({"task": "tests.jobs.evidence.among"} for _ in range(count))


def test_each_runs_once_in_a_process_with_no_other_thread(stage: Stage) -> None:
    backlog(2500)
    stage.burst()
    assert len(stage.starts()) == 2500
    assert set(stage.starts().values()) == {1}
    assert {threads for _, _, threads in stage.notes("start")} == {"1"}
    assert Task.objects.filter(status=Task.COMPLETED).count() == 2500
    assert nothing_held()


def test_a_second_connection_is_there_for_as_long_as_it_is_of_use(stage: Stage) -> None:
    if connection.vendor not in ("postgresql", "mysql"):
        return  # one writer: nothing would be won, and nobody counts connections
    worker = stage.ready()
    backlog(15_000)
    eventually(lambda: len(list(connections_of_others())) == 3, "the keeper's and two of the runner")
    eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists(), "the end of the backlog")
    eventually(lambda: len(list(connections_of_others())) == 2, "the keeper's and one of the runner")
    assert worker.stop() == 0


def test_who_is_killed_among_them_loses_and_repeats_at_most_what_ran(stage: Stage) -> None:
    backlog(12_000)
    worker = stage.worker("--burst")
    kills = 0
    while kills < 4 and worker.popen.poll() is None:
        stage.await_starts(2500 * (kills + 1))
        runners = worker.runners
        for runner in runners:
            os.kill(runner, signal.SIGKILL)
            kills += 1
        eventually(lambda gone=runners: not set(gone) & set(worker.runners), "another runner")  # type: ignore[misc]
        time.sleep(0.05)
    assert worker.wait() == 0
    assert Task.objects.filter(status=Task.COMPLETED).count() == 12_000
    assert len(stage.starts()) == 12_000
    assert sum(stage.starts().values()) <= 12_000 + kills
    assert nothing_held()
