"""Leases: who is suspended or dead, in whole or in part, and when what it held comes back."""

from __future__ import annotations

import os
import signal
import socket
import time
from datetime import timedelta

from django_simple_queue.models import Task, Worker
from django_simple_queue.records import HOLDERS_PER_WORKER

from .stage import Stage, await_status, create, eventually, nothing_held, row

LEASE, BEAT = 1.5, 0.3
SHORT = {"lease_seconds": LEASE, "heartbeat_seconds": BEAT}


def test_a_supervisor_and_a_runner_suspended_for_three_leases_cost_nothing(stage: Stage) -> None:
    """The keeper beats for them; nobody judges by the time that the supervisor has slept through."""
    task = create("wait_for", {"name": "go", "text": "ended"})
    worker = stage.ready("--name", "first", settings=SHORT)
    stage.await_starts(1)
    keeper, runner = worker.keeper, worker.runner
    for pid in (worker.pid, runner):
        os.kill(pid, signal.SIGSTOP)
    other = stage.ready("--name", "second", settings=SHORT)
    time.sleep(3 * LEASE)
    assert await_status(create("run"), Task.COMPLETED).worker == "second"
    stage.let("go")
    for pid in (runner, worker.pid):
        os.kill(pid, signal.SIGCONT)
    done = await_status(task, Task.COMPLETED)
    assert (done.output, done.worker, done.losses, stage.starts()[str(task.id)]) == ("ended", "first", 0, 1)
    assert (worker.keeper, worker.runner) == (keeper, runner)
    for each in (worker, other):
        assert "taken back" not in each.said
        assert each.stop() == 0


def test_a_runner_without_its_keeper_starts_nothing_past_the_lease(stage: Stage) -> None:
    task = create("wait_for", {"name": "go", "text": "ended"})
    worker = stage.ready("--name", "first", settings=SHORT)
    stage.await_starts(1)
    asleep = (worker.pid, worker.keeper)
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    other = stage.ready("--name", "second", settings=SHORT)
    eventually(lambda: stage.starts()[str(task.id)] == 2, "a rescue")
    stage.let("go")
    assert await_status(task, Task.COMPLETED).worker == "second"
    eventually(lambda: "its claim was lost" in worker.said, "the loss of its claim")
    assert other.stop() == 0
    waiting = [create("run") for _ in range(3)]
    time.sleep(2 * BEAT)
    assert {row(each).status for each in waiting} == {Task.QUEUED}
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    for each in waiting:
        assert await_status(each, Task.COMPLETED).worker == "first"
    assert (row(task).losses, row(task).worker) == (1, "second")
    assert worker.stop() == 0
    assert nothing_held()


def test_a_process_id_that_another_process_has_by_now_hides_nothing(stage: Stage) -> None:
    """Neither one that has the number of this process nor one that has a living worker's."""
    worker = stage.ready(settings=SHORT)
    living = Worker.objects.get()
    dead = Worker.objects.create(
        name="dead", host=socket.gethostname(), pid=os.getpid(), beat_at=living.beat_at, started_at=living.started_at
    )
    same = Worker.objects.create(
        name="same", host=living.host, pid=living.pid, beat_at=living.beat_at, started_at=living.started_at
    )
    held = [create("run", run_after=timedelta(hours=1)) for _ in range(4)]
    for number, task in enumerate(held):
        holder = (dead if number % 2 else same).pk * HOLDERS_PER_WORKER + number
        Task.objects.filter(pk=task.pk).update(status=Task.PROGRESS, holder=holder, run_after=None)
    for task in held:
        assert await_status(task, Task.COMPLETED).losses == 1
    assert set(Worker.objects.values_list("pk", flat=True)) == {living.pk}
    assert worker.stop() == 0
