"""Receivers of a worker's signals: called once the row says it, by whoever is left to call them."""

from __future__ import annotations

import os
import signal

import pytest
from django.conf import settings as test_settings

from django_simple_queue.models import Task

from .stage import Stage, await_status, create, eventually, row

LISTENING = {"INSTALLED_APPS": [*test_settings.INSTALLED_APPS, "tests.worker.listening.Listening"]}


def heard(stage: Stage, name: str, task: Task) -> list[str]:
    """Status, length of the output and type of the error that receivers were shown."""
    return [detail for _, key, detail in stage.notes(name) if key == str(task.id)]


@pytest.mark.parametrize("size", [3, 100_000])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_success_is_told_once_with_its_row_and_output(stage: Stage, size: int, threads: str) -> None:
    """Also of an output that does not fit on the board."""
    tasks = [create("varied", {"size": size}) for _ in range(5)]
    said = stage.burst("--threads", threads, settings=LISTENING)
    for task in tasks:
        assert heard(stage, "before_job", task) == [f"{Task.PROGRESS} 0 NoneType"]
        assert heard(stage, "on_success", task) == [f"{Task.COMPLETED} {size} NoneType"]
        assert row(task).status == Task.COMPLETED
    assert said.count("on_success does not like it") >= len(tasks)


def test_failure_is_told_with_what_is_known(stage: Stage) -> None:
    failed = create("tests.jobs.tasks.fail")
    died = create("tests.jobs.lethal.exits")
    late = create("spin", {"seconds": 60}, timeout=0.3)
    worker = stage.worker(settings=LISTENING | {"max_worker_losses": 2})
    for task, error in ((failed, "ValueError"), (died, "NoneType"), (late, "TaskTimeout")):
        await_status(task, Task.FAILED)
        eventually(lambda task=task: heard(stage, "on_failure", task), "on_failure")  # type: ignore[misc]
        assert [detail.split()[::2] for detail in heard(stage, "on_failure", task)] == [[str(Task.FAILED), error]]
    assert worker.stop() == 0


def test_what_was_done_beside_a_task_that_killed_their_process_is_told_too(stage: Stage) -> None:
    done, failed = create("varied", {"size": 3}), create("tests.jobs.tasks.fail")
    create("tests.jobs.lethal.is_killed")
    stage.burst(settings=LISTENING)
    eventually(lambda: heard(stage, "on_success", done), "on_success")
    eventually(lambda: heard(stage, "on_failure", failed), "on_failure")
    assert heard(stage, "on_success", done) == [f"{Task.COMPLETED} 3 NoneType"]
    assert len(heard(stage, "on_failure", failed)) == 1


def test_a_task_that_will_be_tried_again_has_not_failed_yet(stage: Stage) -> None:
    """Nor one whose process was killed for its timeout."""
    from django_simple_queue.worker import kill

    task = create("tests.jobs.lethal.ignores_its_timeout", timeout=0.2, max_attempts=2)
    worker = stage.worker("--threads", "2", settings=LISTENING)
    await_status(task, Task.FAILED, seconds=2 * (kill.HARD_AFTER + 5))
    eventually(lambda: heard(stage, "on_failure", task), "on_failure")
    assert worker.stop() == 0
    assert heard(stage, "on_failure", task) == [f"{Task.FAILED} 0 TimeoutError"]
    assert row(task).attempt == 2


def test_a_lost_claim_is_no_success(stage: Stage) -> None:
    task = create("wait_for", {"name": "go", "text": "dropped"})
    worker = stage.worker(settings=LISTENING)
    stage.await_starts(1)
    Task.objects.filter(pk=task.pk).update(holder=1)
    stage.let("go")
    eventually(lambda: "its claim was lost" in worker.said, "the news")
    os.kill(worker.pid, signal.SIGTERM)
    worker.wait()
    assert not heard(stage, "on_success", task)
    assert row(task).output is None
