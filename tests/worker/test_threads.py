"""Several tasks at a time in one process."""

from __future__ import annotations

from django_simple_queue.models import Task

from .stage import Stage, create, eventually, row


def test_eight_tasks_run_at_once(stage: Stage) -> None:
    for _ in range(8):
        create("wait_for", {"name": "go"})
    worker = stage.worker("--burst", "--threads", "8")
    stage.await_starts(8)
    stage.let("go")
    assert worker.wait() == 0
    assert len({pid for pid, _, _ in stage.notes("start")}) == 1


def test_a_long_task_does_not_hold_up_the_others(stage: Stage) -> None:
    create("wait_for", {"name": "go"}, priority=1)
    others = [create("run", {"seconds": 0.01}) for _ in range(60)]
    worker = stage.worker("--burst", "--threads", "3")
    eventually(lambda: Task.objects.filter(status=Task.COMPLETED).count() == len(others), "the others")
    late = create("run")
    eventually(lambda: row(late).status == Task.COMPLETED, "one that came while the long one runs", seconds=10)
    stage.let("go")
    assert worker.wait() == 0
    assert set(stage.starts().values()) == {1}
    assert not worker.crashes, worker.said


def test_a_task_with_a_loss_runs_alone_in_its_process(stage: Stage) -> None:
    """It may have killed a process: nothing runs beside it when it starts, and nothing starts until it has ended."""
    for n in range(40):
        create("run", {"seconds": 0.03}, priority=n % 3)
    suspects = [create("run", {"seconds": 0.2}, priority=1) for _ in range(2)]
    Task.objects.filter(pk__in=[task.pk for task in suspects]).update(losses=1)
    stage.burst("--threads", "4")
    running: set[str] = set()
    for line in (stage.evidence / "runs").read_text().splitlines():
        what, _, task, _ = line.split(" ", 3)
        if what == "start":
            running.add(task)
            if running & {str(task.id) for task in suspects}:
                assert len(running) == 1
        else:
            running.discard(task)
    assert set(stage.starts().values()) == {1}
    assert len(stage.starts()) == 42


def test_logs_do_not_mix(stage: Stage) -> None:
    tasks = {name: create("tells", {"name": name}) for name in "abcdef"}
    stage.burst("--threads", "6")
    for name, task in tasks.items():
        assert row(task).log == f"{name}\n" * 20
