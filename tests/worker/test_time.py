"""Timeouts and cancellation of tasks that run."""

from __future__ import annotations

import pytest

from django_simple_queue import cancel_task
from django_simple_queue.models import Attempt, Task

from .stage import Stage, await_status, create, eventually, row


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_task_past_its_timeout_fails_and_its_neighbours_complete(stage: Stage, threads: str) -> None:
    asleep = create("run", {"seconds": 60}, timeout=0.5)
    busy = create("spin", {"seconds": 60}, timeout=0.5)
    others = [create("run") for _ in range(5)]
    worker = stage.worker("--burst", "--threads", threads)
    await_status(busy, Task.FAILED)
    # In a thread a sleep is not interrupted: its process is killed.
    await_status(asleep, Task.FAILED)
    assert worker.wait() == 0
    for task in (asleep, busy):
        assert (row(task).error or "").startswith("Task timed out after 0.5 seconds")
        assert list(Attempt.objects.filter(task_id=task.id).values_list("kind", flat=True)) == ["timeout"]
        assert row(task).losses == 0
    assert {row(task).status for task in others} == {Task.COMPLETED}


def test_a_timeout_may_be_tried_again(stage: Stage) -> None:
    task = create("run", {"seconds": 60}, timeout=0.3, max_attempts=2)
    stage.worker()
    await_status(task, Task.FAILED)
    assert (row(task).attempt, stage.starts()[str(task.id)]) == (2, 2)


def test_a_running_task_can_see_that_it_is_cancelled(stage: Stage) -> None:
    task = create("until_cancelled")
    neighbour = create("run")
    stage.worker()
    stage.await_starts(1)
    assert cancel_task(task.id)
    await_status(task, Task.CANCELLED)
    await_status(neighbour, Task.COMPLETED)
    assert stage.notes("cancelled")


def test_a_cancelled_task_that_does_not_end_is_killed_and_not_run_again(stage: Stage) -> None:
    task = create("wait_for", {"name": "never"})
    stage.worker()
    stage.await_starts(1)
    assert cancel_task(task.id)
    assert row(task).status == Task.PROGRESS
    ended = await_status(task, Task.CANCELLED)
    assert ended.losses == 0
    assert stage.starts()[str(task.id)] == 1


def test_what_a_person_sets_while_a_task_runs_stays(stage: Stage) -> None:
    again, cancelled, gone = (create("wait_for", {"name": "go"}) for _ in range(3))
    worker = stage.worker("--threads", "3")
    stage.await_starts(3)
    Task.objects.filter(pk=again.pk).update(status=Task.QUEUED)
    Task.objects.filter(pk=cancelled.pk).update(status=Task.CANCELLED)
    Task.objects.filter(pk=gone.pk).delete()
    stage.let("go")
    await_status(again, Task.COMPLETED)
    await_status(cancelled, Task.CANCELLED)
    eventually(lambda: stage.starts()[str(again.id)] == 2, "one more run")
    assert worker.stop() == 0
    assert not Task.objects.filter(pk=gone.pk).exists()
