"""An idle worker is told of work.

Here it looks once a minute, and a runner by itself every few seconds: many tasks, one after another, are done within
the usual patience only if each wakes who is to run it.
"""

from __future__ import annotations

import time

import pytest
from django.db import connection, transaction

from django_simple_queue import create_tasks
from django_simple_queue.models import Task, Worker
from django_simple_queue.worker.runner import LOOK_AGAIN

from .stage import PATIENCE, Process, Stage, await_status, create, eventually

pytestmark = pytest.mark.skipif(
    connection.vendor not in ("postgresql", "sqlite"), reason="this database tells nobody of a new task"
)
ROUNDS = 20
PAIRS = 12
SELDOM = ("--poll-interval", "60")


class Deadline:
    """For all that is done under it together."""

    def __init__(self) -> None:
        self.end = time.monotonic() + PATIENCE

    @property
    def left(self) -> float:
        return max(0.0, self.end - time.monotonic())


def idle_worker(stage: Stage, *options: str) -> Process:
    """One that has looked, has found nothing, and waits."""
    worker = stage.ready(*SELDOM, *options)
    await_status(create("run"), Task.COMPLETED)
    if connection.vendor == "postgresql":
        eventually(lambda: Worker.objects.filter(idle=True).exists(), "an idle worker")
    return worker


def test_looks_alone_would_take_longer() -> None:
    assert (ROUNDS - 1) * LOOK_AGAIN > 2 * PATIENCE


@pytest.mark.parametrize("options", [(), ("--threads", "2"), ("--processes", "3"), ("--queue", "default")])
def test_tasks_one_after_another_are_started_when_they_are_enqueued(stage: Stage, options: tuple[str, ...]) -> None:
    worker = idle_worker(stage, *options)
    deadline = Deadline()
    for _ in range(ROUNDS):
        await_status(create("run"), Task.COMPLETED, seconds=deadline.left)
    assert worker.stop() == 0


def test_a_busy_worker_is_told_again_when_it_is_idle_again(stage: Stage) -> None:
    """A worker that works for a while wants no notifications meanwhile."""
    worker = idle_worker(stage)
    deadline = Deadline()
    for _ in range(ROUNDS):
        await_status(create("run", {"seconds": 0.3}), Task.COMPLETED, seconds=deadline.left)
    assert worker.stop() == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_as_many_runners_are_woken_as_there_are_tasks(stage: Stage, at_once: bool) -> None:
    """Each task waits until both have started, so that one runner cannot do both."""
    worker = idle_worker(stage, "--processes", "2")
    # One that took long: from then on a runner claims one at a time.
    for _ in range(2):
        create("wait_for", {"name": "long"})
    stage.await_starts(3)
    time.sleep(3)
    stage.let("long")
    eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists())
    time.sleep(2)  # so that it is no longer on its guard for what was enqueued before it was idle
    deadline = Deadline()
    for number in range(PAIRS):
        name = f"round-{number}"
        one = {"task": "tests.jobs.evidence.wait_for", "args": {"name": name}}
        if at_once:
            create_tasks([one, one])
        else:
            create_tasks([one])
            create_tasks([one])
        started = 1 + 2 * (number + 2)
        eventually(lambda started=started: len(stage.notes("start")) >= started, "both", deadline.left)  # type: ignore[misc]
        stage.let(name)
        eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists(), "the end", deadline.left)
    assert worker.stop() == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere a worker looks at what is committed")
def test_what_was_enqueued_before_the_worker_was_idle_is_found_after_its_commit(stage: Stage) -> None:
    """It told nobody, since nobody was idle; and when the worker looked, it was not there yet."""
    worker = idle_worker(stage)
    deadline = Deadline()
    for number in range(ROUNDS // 2):
        name = f"round-{number}"
        before = create("wait_for", {"name": name})
        eventually(lambda: not Worker.objects.filter(idle=True).exists(), "a busy worker", deadline.left)
        with transaction.atomic():
            task = create("run")
            stage.let(name)
            eventually(lambda: Worker.objects.filter(idle=True).exists(), "an idle worker", deadline.left)
        await_status(before, Task.COMPLETED, seconds=deadline.left)
        await_status(task, Task.COMPLETED, seconds=deadline.left)
    assert worker.stop() == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere nobody asks whether a worker is idle")
def test_a_worker_that_was_taken_for_dead_says_again_that_it_is_idle(stage: Stage) -> None:
    worker = idle_worker(stage)
    Worker.objects.update(state=Worker.DEAD)
    eventually(lambda: Worker.objects.filter(idle=True, state=Worker.ALIVE).exists(), "a new row, that is idle")
    assert worker.stop() == 0
