"""Processes die: what was done stays done, what ran is run again, what had not started is given back."""

from __future__ import annotations

import os
import signal

import pytest

from django_simple_queue.models import Attempt, Task, Worker

from .settings import DJANGO_SIMPLE_QUEUE_HEARTBEAT_SECONDS as BEAT
from .settings import DJANGO_SIMPLE_QUEUE_LEASE_SECONDS as LEASE
from .stage import Stage, alive, await_status, create, eventually, nothing_held, row

# With how many threads and processes: how often an innocent may start. Threads die together.
SHAPES = pytest.mark.parametrize(
    ("options", "most"),
    [((), 1), (("--processes", "2"), 1), (("--threads", "2"), 2)],
    ids=["1", "processes", "threads"],
)
KILLERS = {"exits": "exited with code 3", "segfaults": "was killed by SIGSEGV", "is_killed": "was killed by SIGKILL"}
DISORDER = ["leaves", "interrupts", "runs_out_of_memory", "forks", "closes_the_loop", "leaves_a_transaction"]
DISORDER += ["closes_connections"]
FOR_THE_PROCESS = ["moves_and_sets", "closes_everything", "closes_and_opens"]  # with its other threads


def completed() -> int:
    return Task.objects.filter(status=Task.COMPLETED).count()


@SHAPES
def test_tasks_that_kill_their_process_fail_after_three_losses_and_harm_no_other(
    stage: Stage, options: tuple[str, ...], most: int
) -> None:
    before = [create("run", {"text": f"before {n}"}) for n in range(5)]
    killers = {said: create(f"tests.jobs.lethal.{name}") for name, said in KILLERS.items()}
    after = [create("run", {"text": f"after {n}"}) for n in range(5)]
    stage.burst(*options)
    for said, killer in killers.items():
        dead = row(killer)
        assert (dead.status, dead.losses, dead.attempt) == (Task.FAILED, 3, 0), dead.task
        assert said in (dead.error or "")
        assert stage.starts()[str(killer.id)] <= 3  # a thread's first run may end before it begins, by another's deed
        assert list(Attempt.objects.filter(task_id=killer.id).values_list("kind", flat=True)) == ["lost"] * 3
    assert [row(task).output for task in before] == [f"before {n}" for n in range(5)]
    assert [row(task).output for task in after] == [f"after {n}" for n in range(5)]
    for task in before + after:
        assert stage.starts()[str(task.id)] <= most
        assert row(task).losses < most


@SHAPES
def test_tasks_that_leave_disorder_harm_no_other(stage: Stage, options: tuple[str, ...], most: int) -> None:
    bad, good, checks = {}, [], []
    for name in DISORDER + FOR_THE_PROCESS * (most == 1):
        bad[name] = create(f"tests.jobs.lethal.{name}")
        good += [create("run", {"text": "ran"}) for _ in range(3)]
        checks.append((create("tests.jobs.lethal.uses_the_loop"), create("tests.jobs.lethal.where_am_i")))
    stage.burst(*options)
    for name, task in bad.items():
        fails = name in ("leaves", "interrupts", "runs_out_of_memory")
        assert row(task).status == (Task.FAILED if fails else Task.COMPLETED), (name, row(task).error)
        assert stage.starts()[str(task.id)] == 1, name
    assert "MemoryError" in (row(bad["runs_out_of_memory"]).error or "")
    assert row(bad["forks"]).output == "the parent's"
    ((_, _, child),) = stage.notes("forked")
    assert not alive(int(child))
    assert row(bad["leaves_a_transaction"]).log is None
    assert not Attempt.objects.filter(kind="effect").exists()
    assert [row(task).output for task in good] == ["ran"] * len(good)
    assert {stage.starts()[str(task.id)] for task in good} == {1}
    assert {(row(loop).output, row(place).output) for loop, place in checks} == {("looped", os.getcwd())}


def test_a_task_that_closes_the_files_of_other_threads_costs_them_no_more_than_a_run(stage: Stage) -> None:
    bad = create("tests.jobs.lethal.closes_and_opens")
    good = [create("run", {"text": "ran"}, max_attempts=2) for _ in range(10)]  # its own file may be among them
    stage.burst("--threads", "2", settings={"retry_backoff": 0})
    assert row(bad).status == Task.COMPLETED
    assert [row(task).output for task in good] == ["ran"] * 10
    assert max(stage.starts()[str(task.id)] for task in good) <= 2


def test_a_task_that_kills_whole_workers_fails_after_three_and_takes_nobody_with_it(stage: Stage) -> None:
    """What runs beside it the first time has a loss as well; from then on it runs while nothing with a loss does."""
    killer = create("tests.jobs.lethal.kills_its_worker", priority=1)
    innocents = [create("run", {"seconds": 0.02, "text": "ran"}) for _ in range(40)]
    settings = {"lease_seconds": 1.5, "heartbeat_seconds": 0.3}
    workers = [stage.worker("--processes", "2", "--name", f"w{n}", settings=settings) for n in range(4)]
    dead = await_status(killer, Task.FAILED)
    for task in innocents:
        await_status(task, Task.COMPLETED)
    assert (dead.losses, stage.starts()[str(killer.id)]) == (3, 3)
    assert "died while it held this task" in (dead.error or "")
    (last,) = [worker for worker in workers if worker.popen.poll() is None]
    assert last.stop() == 0
    assert [row(task).output for task in innocents] == ["ran"] * 40
    assert max(row(task).losses for task in innocents) <= 2
    assert not Worker.objects.exists()


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
    """Whatever its tasks do: Python code, C code, C code that lets no other thread go on."""
    create("spin", {"seconds": 30})
    create("tests.jobs.lethal.ignores_its_timeout_in_c")
    create("tests.jobs.lethal.stops_all_threads")
    worker = stage.ready("--processes", "3")
    stage.await_starts(3)
    family = worker.descendants()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    eventually(lambda: not any(alive(pid) for pid in family), "the end of its processes", seconds=2)


def test_another_worker_takes_back_what_a_dead_one_held(stage: Stage) -> None:
    """Within a lease and a beat: more if the machine is slow, but never another lease."""
    tasks = [create("wait_for", {"name": "go"}) for _ in range(2)]
    dead = stage.ready("--processes", "2", "--name", "dead")
    stage.await_starts(2)
    other = stage.ready()
    dead.signal_tree(signal.SIGKILL)
    last_beat = Worker.objects.get(name="dead").beat_at
    stage.let("go")
    eventually(lambda: completed() == 2, "a rescue", seconds=15)
    assert other.stop() == 0
    for task in tasks:
        assert (row(task).losses, row(task).attempt) == (1, 0)
        lost = Attempt.objects.get(task_id=task.id)
        assert (lost.kind, lost.worker) == ("lost", "dead")
        assert LEASE <= (lost.ended_at - last_beat).total_seconds() < 2 * LEASE + BEAT
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
