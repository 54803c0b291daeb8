"""run_tasks(), run_task() and worker.execute_task() in projects' own tests, with and without a transaction around."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from django_simple_queue import cancel_task, create_task, create_tasks
from django_simple_queue.models import Task, Worker
from django_simple_queue.testing import run_task, run_tasks
from django_simple_queue.worker import execute_task

ECHO = "tests.jobs.tasks.echo"


class Cases:
    def test_all_that_is_runnable_runs_in_order_and_nothing_stays_behind(self) -> None:
        create_tasks([{"task": ECHO, "args": {"value": n}, "priority": n} for n in range(3)])
        assert run_tasks() == 3
        outputs = Task.objects.order_by("started_at", "-rank").values_list("output", flat=True)
        assert sorted(outputs) == ["0", "1", "2"]
        assert not Worker.objects.exists()
        assert not Task.objects.filter(holder__isnull=False).exists()

    def test_a_queue_and_a_number_can_be_named(self) -> None:
        create_tasks([{"task": ECHO, "queue": queue} for queue in "aab"])
        assert run_tasks(queue="a", limit=1) == 1
        assert run_tasks(queue="a") == 1
        assert run_tasks() == 1

    def test_one_task_and_no_other(self) -> None:
        first, second = create_task(ECHO), create_task(ECHO)
        assert run_task(second)
        assert not run_task(second)
        with pytest.deprecated_call():
            execute_task(str(first))
        assert set(Task.objects.values_list("status", flat=True)) == {Task.COMPLETED}

    def test_a_cancelled_task_does_not_run(self) -> None:
        task = create_task(ECHO)
        assert cancel_task(task)
        assert run_tasks() == 0

    def test_the_connection_is_left_as_it_was(self) -> None:
        """What a task leaves behind is its test's to see, as with any other function that is called."""
        connection.ensure_connection()
        before = connection.connection
        create_task("tests.jobs.tasks.fail")
        assert run_tasks() == 1
        assert connection.connection is before
        assert connection.get_autocommit() is not connection.in_atomic_block

    def test_what_is_rolled_back_was_never_there(self) -> None:
        with transaction.atomic():
            create_task(ECHO)
            assert run_tasks() == 1
            transaction.set_rollback(True)
        assert not Task.objects.exists()
        assert not Worker.objects.exists()


class InATransaction(Cases, TestCase):
    pass


class WithoutOne(Cases, TransactionTestCase):
    pass
