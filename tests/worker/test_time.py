"""Timeouts and cancellation of tasks that run."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest

from django_simple_queue import cancel_task, create_tasks
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


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--processes", "2"), ["ignores_its_timeout", "ignores_its_timeout_in_c"]),
        (("--threads", "3"), ["stops_all_threads"]),
    ],
    ids=["processes", "threads"],
)
def test_what_does_not_hear_of_its_timeout_is_killed_and_its_neighbours_run_again(
    stage: Stage, options: tuple[str, str], names: list[str]
) -> None:
    """It goes on, or is in C code that no signal interrupts, or in C code that lets no other thread go on either."""
    deaf = [create(f"tests.jobs.lethal.{name}", timeout=0.5, priority=1) for name in names]
    others = [create("wait_for", {"name": "go", "text": "ran"}) for _ in range(2)]
    worker = stage.worker(*options)
    for task in deaf:
        failed = await_status(task, Task.FAILED)
        assert (failed.error or "").startswith("Task timed out after 0.5 seconds")
        assert (failed.attempt, failed.losses) == (1, 0)
        assert stage.starts()[str(task.id)] == 1
    stage.let("go")
    for task in others:
        done = await_status(task, Task.COMPLETED)
        assert (done.output, done.losses) == ("ran", 0)
    assert worker.stop() == 0
    assert not Attempt.objects.exclude(kind="timeout").exists()


def test_a_task_that_expires_behind_another_never_starts(stage: Stage) -> None:
    busy, late = create("wait_for", {"name": "go"}), create("run", expires=timedelta(seconds=1))
    worker = stage.worker()
    expired = await_status(late, Task.CANCELLED)
    assert (expired.error, stage.starts()[str(late.id)]) == ("expired", 0)
    stage.let("go")
    await_status(busy, Task.COMPLETED)
    assert worker.stop() == 0


# -- cancellation ----------------------------------------------------------------------------------------------------


def test_a_running_task_can_see_that_it_is_cancelled(stage: Stage) -> None:
    task = create("until_cancelled")
    neighbour = create("run")
    stage.worker()
    stage.await_starts(1)
    assert cancel_task(task.id)
    await_status(task, Task.CANCELLED)
    await_status(neighbour, Task.COMPLETED)
    assert stage.notes("cancelled")


def test_a_cancelled_task_that_does_not_end_is_killed_alone_and_not_run_again(stage: Stage) -> None:
    """What runs beside it in another thread runs again, without a loss."""
    alone, threaded = (create("wait_for", {"name": "never"}, queue=queue) for queue in ("alone", "threads"))
    beside = create("wait_for", {"name": "go"}, queue="threads")
    stage.worker("--queue", "alone")
    stage.worker("--queue", "threads", "--threads", "2")
    stage.await_starts(3)
    for task in (alone, threaded):
        assert cancel_task(task.id)
        assert row(task).status == Task.PROGRESS
    for task in (alone, threaded):
        assert await_status(task, Task.CANCELLED).losses == 0
        assert stage.starts()[str(task.id)] == 1
    stage.let("go")
    assert await_status(beside, Task.COMPLETED).losses == 0
    assert stage.starts()[str(beside.id)] == 2


def test_a_cancelled_task_whose_process_dies_is_cancelled(stage: Stage) -> None:
    task = create("wait_for", {"name": "never"})
    worker = stage.ready()
    stage.await_starts(1)
    assert cancel_task(task.id)
    os.kill(worker.runner, signal.SIGKILL)
    assert await_status(task, Task.CANCELLED).losses == 1
    await_status(create("run"), Task.COMPLETED)
    assert worker.stop() == 0
    assert stage.starts()[str(task.id)] == 1


def test_a_claimed_task_that_is_cancelled_before_its_start_never_starts(stage: Stage) -> None:
    """And what its runner runs at that time is not harmed."""
    for _ in range(30):  # so that its runner claims many at once
        create("run")
    worker = stage.ready()
    eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists(), "all of them")
    run, wait = "tests.jobs.evidence.run", "tests.jobs.evidence.wait_for"
    ids = create_tasks([{"task": wait, "args": {"name": "go"}}, *({"task": run, "args": {}} for _ in range(6))])
    running, *claimed = (Task.objects.get(pk=key) for key in ids)
    eventually(lambda: row(claimed[-1]).holder is not None, "its claim")
    assert row(claimed[-1]).holder == row(running).holder
    for task in claimed[::2]:
        assert cancel_task(task.id)
    for task in claimed[::2]:
        await_status(task, Task.CANCELLED)
    assert row(running).status == Task.PROGRESS
    stage.let("go")
    for task in (running, *claimed[1::2]):
        assert await_status(task, Task.COMPLETED).losses == 0
        assert stage.starts()[str(task.id)] == 1
    assert worker.stop() == 0
    assert not {str(task.id) for task in claimed[::2]} & set(stage.starts())


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
