"""Atomic tasks under fire: what they write happens exactly once, or not at all."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress

import pytest
from django.db import connection
from django.utils import timezone

from django_simple_queue import create_tasks
from django_simple_queue.backends.dialects import dialect_for
from django_simple_queue.models import Attempt, Task, Worker

from .stage import Stage, await_status, create, eventually, nothing_held, row

SEED = 20_240_229
COUNT = 500
KILLS = 12
others_can_write = pytest.mark.skipif(
    dialect_for(connection).one_writer,
    reason="while an atomic task runs nobody else can write, so none loses its claim",
)


def effects(*tasks: Task) -> list[int]:
    """How often what each of these wrote was committed."""
    return [Attempt.objects.filter(task_id=task.pk, kind="effect").count() for task in tasks]


def effects_so_far() -> int:
    return Attempt.objects.filter(kind="effect").count()


def test_each_takes_effect_once_whoever_is_killed(stage: Stage) -> None:
    counter = Attempt.objects.create(task_id="0" * 32, number=0, ended_at=timezone.now(), kind="counter")
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    settings = {"max_worker_losses": 100, "lease_seconds": 2}  # none of them is a killer
    workers = [
        stage.ready("--processes", "2", settings=settings),
        stage.ready("--processes", "2", settings=settings),
        stage.ready("--threads", "2", settings=settings),
    ]
    args = {"counter": counter.pk, "seconds": 0.002}
    ids = create_tasks([{"task": "tests.jobs.atomic.adds_one", "args": args}] * COUNT)
    for kill in range(KILLS):
        # Spread over the run; a whole worker in its midst, with ends that it has not stored by itself.
        eventually(lambda kill=kill: effects_so_far() > COUNT * kill // (KILLS + 1), "progress")  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.02))
        if kill == KILLS // 2:
            workers.pop(0).signal_tree(signal.SIGKILL)
        else:
            runners = eventually(lambda: [pid for worker in workers for pid in worker.runners], "a runner")
            with suppress(ProcessLookupError):
                os.kill(chance.choice(runners), signal.SIGKILL)
    eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists(), "the end of all")
    counter.refresh_from_db()
    assert counter.number == COUNT
    found = list(Attempt.objects.filter(kind="effect").values_list("task_id", flat=True))
    assert sorted(found) == sorted(ids)
    lost = Attempt.objects.filter(kind="lost").count()
    assert lost, "nobody was killed while a task ran"
    assert not Attempt.objects.exclude(kind__in=("counter", "effect", "lost")).exists()
    for worker in workers:
        assert worker.stop() == 0
        assert not worker.crashes, worker.said
    assert nothing_held()


@pytest.mark.parametrize("name", ["takes_effect_and_fails", "takes_effect_and_forks"])
def test_one_that_fails_leaves_nothing(stage: Stage, name: str) -> None:
    task = create(f"tests.jobs.atomic.{name}", max_attempts=2)
    stage.burst(settings={"retry_backoff": 0})
    assert (row(task).status, row(task).attempt, stage.starts()[str(task.id)]) == (Task.FAILED, 2, 2)
    assert "ValueError" in (row(task).error or "")
    assert effects(task) == [0]


def test_one_that_is_committed_and_then_fails_is_completed(stage: Stage) -> None:
    task = create("tests.jobs.atomic.takes_effect_and_fails_afterwards")
    said = stage.burst()
    assert (row(task).status, row(task).error, effects(task)) == (Task.COMPLETED, None, [1])
    assert "its transaction.on_commit failed" in said
    assert "its claim was lost" not in said


@pytest.mark.skipif(not dialect_for(connection).one_writer, reason="others can write meanwhile")
def test_one_that_comes_while_another_is_the_only_writer_waits_for_it(stage: Stage) -> None:
    """Longer than a connection does by itself."""
    databases = json.loads(stage.environment["DSQ_TEST_DATABASES_JSON"])
    databases["default"]["OPTIONS"]["timeout"] = 0.1
    counter = Attempt.objects.create(task_id="0" * 32, number=0, ended_at=timezone.now(), kind="counter")
    tasks = [create("tests.jobs.atomic.adds_one", {"counter": counter.pk, "seconds": 0.5}) for _ in range(3)]
    stage.burst("--threads", "3", DSQ_TEST_DATABASES_JSON=json.dumps(databases))
    assert {row(task).status for task in tasks} == {Task.COMPLETED}
    assert effects(*tasks) == [1, 1, 1]


@others_can_write
def test_one_whose_claim_was_lost_leaves_nothing(stage: Stage) -> None:
    """Put back by hand, with and without taking the holder away, or handed to another: only a later run counts."""
    taken, put_back, elsewhere = (create("tests.jobs.atomic.takes_effect_and_waits", {"name": "go"}) for _ in range(3))
    worker = stage.ready("--processes", "3")
    stage.await_starts(3)
    Task.objects.filter(pk=taken.pk).update(holder=None, status=Task.QUEUED)
    Task.objects.filter(pk=put_back.pk).update(status=Task.QUEUED)
    Task.objects.filter(pk=elsewhere.pk).update(holder=1)
    stage.let("go")
    eventually(lambda: stage.starts()[str(put_back.id)] == 2, "one more run")
    for task in (taken, put_back):
        await_status(task, Task.COMPLETED)
    eventually(lambda: row(elsewhere).holder != 1, "a rescue from worker 0")
    await_status(elsewhere, Task.COMPLETED)
    assert worker.stop() == 0
    assert worker.said.count("its claim was lost") == 2
    assert "rolled back" in worker.said
    # The one whose holder stayed was finished as well, and runs once more because a person said so.
    assert effects(taken, put_back, elsewhere) == [1, 2, 1]


@others_can_write
def test_one_that_was_suspended_past_its_lease_leaves_nothing(stage: Stage) -> None:
    task = create("tests.jobs.atomic.takes_effect_and_waits", {"name": "go"})
    settings = {"lease_seconds": 1.5, "heartbeat_seconds": 0.3}
    sleeper = stage.ready(settings=settings)
    stage.await_starts(1)
    sleeper.signal_tree(signal.SIGSTOP)
    other = stage.ready("--name", "other", settings=settings)
    eventually(lambda: stage.starts()[str(task.id)] == 2, "a rescue")
    stage.let("go")
    await_status(task, Task.COMPLETED)
    sleeper.signal_tree(signal.SIGCONT, children_first=True)
    eventually(lambda: "its claim was lost" in sleeper.said, "the loss of its claim")
    for worker in (sleeper, other):
        assert worker.stop() == 0
    assert (row(task).worker, row(task).losses, effects(task)) == ("other", 1, [1])
    assert not Worker.objects.exists()
