"""detect_orphaned_tasks(): the deprecated call takes back what dead workers hold, and judges nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.monitor import detect_orphaned_tasks
from django_simple_queue.records import HOLDERS_PER_WORKER

pytestmark = pytest.mark.django_db


def held_by(worker_id: int, **values: Any) -> Task:
    held = {"task": "tests.jobs.tasks.noop", "status": Task.PROGRESS, "holder": worker_id * HOLDERS_PER_WORKER + 3}
    return Task.objects.create(**{**held, **values})


def worker(state: int, beat_ago: float = 0) -> int:
    then = timezone.now() - timedelta(seconds=beat_ago)
    return Worker.objects.create(name="w", host="h", pid=1, state=state, beat_at=then, started_at=then).pk


def test_it_is_deprecated_and_says_why() -> None:
    with pytest.deprecated_call(match="a running task_worker does what it did"):
        detect_orphaned_tasks()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_takes_back_what_dead_and_missing_workers_hold() -> None:
    dead = worker(Worker.DEAD)
    tasks = [held_by(dead), held_by(dead + 1000), held_by(dead, status=Task.CANCELLED)]
    detect_orphaned_tasks()
    rows = [Task.objects.get(pk=task.pk) for task in tasks]
    assert [row.holder for row in rows] == [None, None, None]
    assert [row.status for row in rows] == [Task.QUEUED, Task.QUEUED, Task.CANCELLED]
    assert [row.losses for row in rows] == [1, 1, 1]
    assert Attempt.objects.filter(kind="lost").count() == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("beat_ago", [0, 3600])
def test_it_does_not_judge_a_worker_that_nobody_has_watched(beat_ago: float) -> None:
    task = held_by(worker(Worker.ALIVE, beat_ago))
    detect_orphaned_tasks()
    row = Task.objects.get(pk=task.pk)
    assert (row.status, row.holder, row.losses) == (Task.PROGRESS, task.holder, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_leaves_alone_what_0_1_left_in_progress() -> None:
    task = Task.objects.create(task="tests.jobs.tasks.noop", status=Task.PROGRESS, worker_pid=1)
    detect_orphaned_tasks()
    assert Task.objects.get(pk=task.pk).status == Task.PROGRESS


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_last_loss_fails_the_task(settings: Any) -> None:
    task = held_by(worker(Worker.DEAD), losses=2)
    detect_orphaned_tasks()
    row = Task.objects.get(pk=task.pk)
    assert (row.status, row.error) == (Task.FAILED, "The worker that ran this task is dead.")
