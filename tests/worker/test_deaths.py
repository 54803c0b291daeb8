"""Processes die: what was done stays done, what ran is run again, what had not started is given back."""

from __future__ import annotations

import os
import signal

import pytest

from django_simple_queue import create_tasks
from django_simple_queue.models import Attempt, Task, Worker

from .stage import Stage, alive, await_status, create, eventually, nothing_held, row

DISORDER = ["leaves", "interrupts", "forks", "closes_everything", "moves_and_sets", "closes_the_loop"]
DISORDER += ["leaves_a_transaction", "closes_connections"]


def completed() -> int:
    return Task.objects.filter(status=Task.COMPLETED).count()


@pytest.mark.parametrize(
    ("name", "said"),
    [("exits", "code 3"), ("segfaults", "SIGSEGV"), ("is_killed", "SIGKILL")],
)
def test_a_task_that_kills_its_process_fails_after_three_losses_and_harms_no_other(
    stage: Stage, name: str, said: str
) -> None:
    before = [create("run", {"text": f"before {n}"}) for n in range(5)]
    killer = create(f"tests.jobs.lethal.{name}")
    after = [create("run") for _ in range(5)]
    stage.burst()
    dead = row(killer)
    assert (dead.status, dead.losses, dead.attempt) == (Task.FAILED, 3, 0)
    assert said in (dead.error or "")
    assert stage.starts()[str(killer.id)] == 3
    assert {stage.starts()[str(task.id)] for task in before + after} == {1}
    assert [row(task).output for task in before] == [f"before {n}" for n in range(5)]
    assert Attempt.objects.filter(task_id=killer.id, kind="lost").count() == 3


@pytest.mark.parametrize("name", DISORDER)
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_task_that_leaves_disorder_harms_no_other(stage: Stage, name: str, threads: str) -> None:
    if threads == "2" and name == "moves_and_sets":
        name = "closes_connections"  # only a main thread may set signal handlers
    bad = create(f"tests.jobs.lethal.{name}")
    good = [create("run", {"text": "ran"}) for _ in range(10)]
    loop, place = create("tests.jobs.lethal.uses_the_loop"), create("tests.jobs.lethal.where_am_i")
    stage.burst("--threads", threads)
    assert row(bad).status in (Task.COMPLETED, Task.FAILED)
    assert stage.starts()[str(bad.id)] <= 3
    assert [row(task).output for task in good] == ["ran"] * 10
    # With several threads a process that ends takes with it what the others run: that runs again.
    most = 2 if (name, threads) == ("closes_everything", "2") else 1
    assert max(stage.starts()[str(task.id)] for task in good) <= most
    assert max(row(task).losses for task in good) < most
    assert (row(loop).output, row(place).output) == ("looped", os.getcwd())


def test_a_killed_runner_costs_its_task_one_loss_and_its_neighbours_nothing(stage: Stage) -> None:
    done = [create("run", {"text": f"done {n}"}) for n in range(3)]
    running = create("wait_for", {"name": "go"})
    waiting = [create("run") for _ in range(3)]
    worker = stage.ready()
    eventually(lambda: stage.starts()[str(running.id)])
    os.kill(worker.runner, signal.SIGKILL)
    stage.let("go")
    for task in [*done, running, *waiting]:
        await_status(task, Task.COMPLETED)
    assert worker.stop() == 0
    assert [row(task).output for task in done] == ["done 0", "done 1", "done 2"]
    assert (row(running).losses, stage.starts()[str(running.id)]) == (1, 2)
    assert {stage.starts()[str(task.id)] for task in done + waiting} == {1}
    assert {row(task).losses for task in done + waiting} == {0}


def test_a_killed_keeper_is_replaced_and_the_worker_keeps_its_id(stage: Stage) -> None:
    worker = stage.ready()
    (before,) = eventually(lambda: list(Worker.objects.values_list("id", flat=True)))
    keeper = worker.keeper
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: worker.named("dsq keeper") not in ([], [keeper]), "another keeper")
    await_status(create("run"), Task.COMPLETED)
    assert list(Worker.objects.values_list("id", flat=True)) == [before]
    assert worker.stop() == 0


def test_nothing_is_left_of_a_worker_whose_supervisor_was_killed(stage: Stage) -> None:
    create("spin", {"seconds": 30})
    worker = stage.ready("--processes", "2")
    stage.await_starts(1)
    family = worker.descendants()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    eventually(lambda: not any(alive(pid) for pid in family), "the end of its processes", seconds=2)


def test_another_worker_takes_back_what_a_dead_one_held(stage: Stage) -> None:
    create_tasks([{"task": "tests.jobs.evidence.wait_for", "args": {"name": "go"}}] * 2)
    dead = stage.ready("--processes", "2")
    stage.await_starts(2)
    other = stage.ready()
    dead.signal_tree(signal.SIGKILL)
    stage.let("go")
    eventually(lambda: completed() == 2, "a rescue", seconds=15)
    assert other.stop() == 0
    assert set(Task.objects.values_list("losses", flat=True)) == {1}
    assert not Worker.objects.exists()


def test_a_worker_that_was_suspended_for_three_leases_changes_nothing_and_goes_on(stage: Stage) -> None:
    held = create("wait_for", {"name": "go", "text": "mine"})
    sleeper = stage.ready()
    stage.await_starts(1)
    (old_id,) = Worker.objects.values_list("id", flat=True)
    sleeper.signal_tree(signal.SIGSTOP)
    other = stage.ready()
    eventually(lambda: stage.starts()[str(held.id)] == 2, "a rescue", seconds=15)
    stage.let("go")
    await_status(held, Task.COMPLETED)
    finished = row(held)
    sleeper.signal_tree(signal.SIGCONT, children_first=True)
    eventually(lambda: "declared dead" in sleeper.said, "the news of its death")
    eventually(lambda: "its claim was lost" in sleeper.said, "the loss of its claim")
    assert other.stop() == 0
    after = row(held)
    assert (after.output, after.worker, after.finished_at) == (finished.output, finished.worker, finished.finished_at)
    await_status(create("run"), Task.COMPLETED)  # under a new id
    assert old_id not in Worker.objects.values_list("id", flat=True)
    assert sleeper.stop() == 0
    assert nothing_held()


def test_a_runner_that_stays_suspended_is_killed_after_a_lease(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready()
    stage.await_starts(1)
    os.kill(worker.runner, signal.SIGSTOP)
    stage.let("go")
    await_status(task, Task.COMPLETED, seconds=15)
    assert row(task).losses == 0
    assert worker.stop() == 0


def test_a_worker_row_that_was_deleted_makes_nothing_invisible(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready()
    stage.await_starts(1)
    Worker.objects.all().delete()
    eventually(Worker.objects.exists, "a new registration")
    stage.let("go")
    await_status(task, Task.COMPLETED)
    assert worker.stop() == 0
    assert nothing_held()
