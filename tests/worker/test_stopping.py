"""Signals: what runs may end, what has not begun is given back, nothing is lost or counted."""

from __future__ import annotations

import signal
import time

import pytest

from django_simple_queue.models import Task, Worker

from .stage import Stage, create, eventually, nothing_held, row


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_stops_at_once(stage: Stage, number: int) -> None:
    worker = stage.ready()
    assert worker.stop(number, seconds=5) == 0
    assert not worker.crashes
    assert not Worker.objects.exists()


@pytest.mark.parametrize("group", [False, True])
def test_what_runs_ends_and_what_has_not_begun_is_given_back(stage: Stage, group: bool) -> None:
    running = create("wait_for", {"name": "go", "text": "ended"}, priority=1)
    waiting = [create("run") for _ in range(20)]
    worker = stage.ready()
    stage.await_starts(1)
    if group:
        worker.signal_group(signal.SIGTERM)
    else:
        worker.popen.send_signal(signal.SIGTERM)
    eventually(lambda: Task.objects.filter(status=Task.QUEUED, holder=None).count() == 20, "the rest to be given back")
    stage.let("go")
    assert worker.wait() == 0
    assert row(running).output == "ended"
    assert {(row(task).status, row(task).losses) for task in waiting} == {(Task.QUEUED, 0)}
    assert stage.starts() == {str(running.id): 1}
    assert nothing_held()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_shutdown_timeout_cuts_a_task_off_without_a_loss(stage: Stage, threads: str) -> None:
    task = create("wait_for", {"name": "never"})
    worker = stage.ready("--shutdown-timeout", "0.5", "--threads", threads)
    stage.await_starts(1)
    assert worker.stop(seconds=10) == 3
    assert (row(task).status, row(task).losses, row(task).holder) == (Task.QUEUED, 0, None)


def test_a_second_signal_ends_it_at_once(stage: Stage) -> None:
    task = create("wait_for", {"name": "never"})
    worker = stage.ready("--shutdown-timeout", "60")
    stage.await_starts(1)
    for _ in range(2):
        worker.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # two at once are one to the process that gets them
    assert worker.wait(10) == 3
    assert row(task).status == Task.QUEUED


def test_runners_are_replaced_after_so_many_tasks(stage: Stage) -> None:
    for _ in range(10):
        create("run")
    stage.burst("--max-tasks", "3")
    assert {row_.status for row_ in Task.objects.all()} == {Task.COMPLETED}
    pids = [pid for pid, _, _ in stage.notes("start")]
    assert len(set(pids)) >= 4
    assert max(pids.count(pid) for pid in set(pids)) <= 3
