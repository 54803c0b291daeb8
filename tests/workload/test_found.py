"""What workloads found out once."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from django_simple_queue import create_task
from django_simple_queue.backends import Session
from django_simple_queue.models import Task, Worker
from django_simple_queue.testing import run_tasks
from tests.worker.stage import await_status, create

from .conftest import Run, stage_in
from .plan import Fault, Group, Workload


def test_bursts_do_not_leave_to_each_other_what_a_dead_worker_holds(run: Run) -> None:
    """Shorter than a heartbeat, a burst never looked for dead workers, nor did the next one."""
    assert not run(
        Workload(groups=(Group(count=2, ms=50),), faults=(Fault(what="kill worker"),), burst=True),
    )


def test_a_keeper_that_dies_last_is_replaced_as_well(worker_env: dict[str, str], tmp_path: Path) -> None:
    """Else its worker's row stays, and what is not settled counts a loss, though the worker says that all is well."""
    with stage_in(worker_env, tmp_path / "stage") as stage:
        task = create("run")
        worker = stage.ready()
        await_status(task, Task.COMPLETED)
        os.kill(worker.keeper, signal.SIGSTOP)  # it is killed for that once the runners are gone
        assert worker.stop() == 0
    assert not Worker.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_unique_task_may_have_run_before_its_enqueue_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slot is free again, its id is not: the insert was tried again for ever."""
    right, looks = Session.rows, itertools.count()

    def rows(session: Session, sql: str, *given: Any) -> list[Any]:
        if "WHERE unique_slot = " in sql:
            assert next(looks) < 3, "it goes on for ever"
            run_tasks()
        return right(session, sql, *given)

    monkeypatch.setattr(Session, "rows", rows)
    key = create_task("tests.jobs.tasks.noop", unique_key="k")
    assert list(Task.objects.values_list("pk", "status")) == [(key, Task.COMPLETED)]
