"""What cannot work is said in a sentence, at once, and with an exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from django_simple_queue.models import Task, Worker

from .stage import Process, Stage, await_status, create


def refused(process: Process) -> str:
    assert process.wait(20) == 2
    assert "Traceback" not in process.said
    return process.said


def test_a_wrong_alias(stage: Stage) -> None:
    assert "There is no database 'nowhere' in DATABASES; there is default." in refused(
        stage.worker("--database", "nowhere")
    )


def test_an_unknown_strategy(stage: Stage) -> None:
    said = refused(stage.worker("--strategy", "no_such"))
    assert "no_such" in said
    assert "compare_and_swap" in said


def test_a_wrong_setting(stage: Stage) -> None:
    said = refused(stage.worker(settings={"lease_seconds": "long"}))
    assert "DJANGO_SIMPLE_QUEUE_LEASE_SECONDS is 'long'." in said


@pytest.mark.parametrize("words", [("--processes", "0"), ("--threads", "x"), ("--shutdown-timeout", "-2")])
def test_a_wrong_number(stage: Stage, words: tuple[str, str]) -> None:
    assert words[0] in refused(stage.worker(*words))


def test_two_workers_before_migrate(stage: Stage) -> None:
    """On a database of its own without tables; as many at once as there like."""
    databases: dict[str, Any] = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(stage.folder / "empty.sqlite3")}
    }
    workers = [stage.worker(DSQ_TEST_DATABASES_JSON=json.dumps(databases)) for _ in range(2)]
    for worker in workers:
        assert "manage.py migrate" in refused(worker)


def test_the_worker_says_what_it_took_and_why(stage: Stage) -> None:
    said = stage.burst("--name", "mine", "--queue", "a", "--queue", "b")
    assert said.startswith("Worker mine: database 'default', a, b, 1 x 1; strategy ")


def test_the_worker_says_how_it_learns_of_work(stage: Stage) -> None:
    how = {"sqlite": "by PRAGMA data_version", "postgresql": "is woken by NOTIFY"}
    assert how.get(connection.vendor, "looks for work every") in stage.burst()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL notifies")
def test_without_notify_a_worker_looks_and_says_nobody_is_idle(stage: Stage) -> None:
    worker = stage.ready(settings={"notify": False})
    assert "looks for work every" in worker.said
    await_status(create("run"), Task.COMPLETED)
    assert not Worker.objects.filter(idle=True).exists()
    assert worker.stop() == 0


def test_help_teaches(stage: Stage) -> None:
    process = stage.command("task_worker", "--help")
    assert process.wait() == 0
    assert "exit codes:" in process.said
    assert "in the order given" in process.said


def test_queues_are_worked_in_the_order_given(stage: Stage) -> None:
    tasks = [create("run", queue=queue, priority=n) for n, queue in enumerate(["b", "a", "b", "a", "other"])]
    stage.burst("--queue", "a", "--queue", "b")
    order = [task for _, task, _ in stage.notes("start")]
    assert order == [str(tasks[n].id) for n in (3, 1, 2, 0)]
    assert Task.objects.get(queue="other").status == Task.QUEUED
