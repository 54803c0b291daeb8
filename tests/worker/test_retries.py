"""Failed runs are tried again as often as was said, after a wait, and each is kept; a lost run is no failed one."""

from __future__ import annotations

from typing import Any

from django_simple_queue import cancel_task
from django_simple_queue.models import Attempt, Task

from .stage import Stage, await_status, create, eventually, row


def attempts(task: Task, *names: str) -> list[tuple[Any, ...]]:
    return list(Attempt.objects.filter(task_id=task.pk).order_by("id").values_list(*names))


def test_how_often_is_said_by_the_task_the_setting_and_the_callable(stage: Stage) -> None:
    expected = {
        create("tests.jobs.tasks.fail"): 2,
        create("tests.jobs.tasks.fail", max_attempts=3): 3,
        create("tests.jobs.tasks.fail", max_attempts=1): 1,
        create("tests.jobs.running.worth_it"): 2,
        create("tests.jobs.running.not_worth_it"): 1,
        create("tests.jobs.running.hopeless"): 1,
    }
    stage.burst("--name", "north", settings={"max_attempts": 2, "retry_backoff": 0})
    for task, count in expected.items():
        found = row(task)
        assert (found.status, found.attempt, found.losses) == (Task.FAILED, count, 0), found.task
        kept = attempts(task, "number", "kind", "worker")
        assert kept == [(number, "error", "north") for number in range(1, count + 1)], found.task
        for error, start, end in attempts(task, "error", "started_at", "ended_at"):
            assert error.splitlines()[-1] in (found.error or "")
            assert "Traceback" in error
            assert start <= end


def test_a_task_that_waits_for_its_retry_holds_up_no_other_and_can_be_cancelled(stage: Stage) -> None:
    failed = [create("tests.jobs.tasks.fail", max_attempts=50, priority=1) for _ in range(4)]
    others = [create("run") for _ in range(5)]
    stage.burst(settings={"retry_backoff": 3600})
    waits = []
    for task in failed:
        waiting = row(task)
        assert (waiting.status, waiting.holder, waiting.finished_at) == (Task.SCHEDULED, None, None)
        *_, (end,) = attempts(task, "ended_at")
        waits.append((waiting.run_after - end).total_seconds())  # type: ignore[operator]
    assert 10 < max(waits) < 3601  # of each alone nothing is certain: jitter
    assert {row(task).status for task in others} == {Task.COMPLETED}
    before = [row(task).attempt for task in failed]
    assert all(cancel_task(task.id) for task in failed)
    Task.objects.filter(pk__in=[task.pk for task in failed]).update(run_after=None)
    stage.burst()
    assert [(row(task).status, row(task).attempt) for task in failed] == [(Task.CANCELLED, n) for n in before]


def test_failures_and_losses_are_counted_apart(stage: Stage) -> None:
    task = create("by_turns", {"turns": ["die", "fail", "die", "end"]}, max_attempts=2)
    create("run", priority=1)
    worker = stage.ready()
    done = await_status(task, Task.COMPLETED)
    assert (done.attempt, done.losses, done.output, done.error) == (1, 2, "ended", None)
    assert [kind for (kind,) in attempts(task, "kind")] == ["lost", "error", "lost"]
    assert [("run 2 fails" in error, "code 4" in error) for (error,) in attempts(task, "error")] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    eventually(lambda: worker.runners, "a runner")
    assert worker.stop() == 0
