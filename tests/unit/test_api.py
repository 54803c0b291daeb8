"""create_task and its kin: what they take, refuse and leave behind."""

from __future__ import annotations

import datetime
import functools
import json
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

import django_simple_queue as dsq
from django_simple_queue.exceptions import TaskNotAllowedError
from django_simple_queue.models import Task
from tests.jobs import tasks

NOOP = "tests.jobs.tasks.noop"
pytestmark = pytest.mark.django_db

WRONG: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((NOOP, [1]), {}, TypeError, "args should be of type dict."),
    ((NOOP, None), {}, TypeError, "args should be of type dict."),
    ((NOOP, {"n": float("nan")}), {}, ValueError, "args"),
    ((NOOP, {"n": object()}), {}, TypeError, "args"),
    ((NOOP, {1: 2}), {}, TypeError, "keys must be strings"),
    ((NOOP, {"n": [{2: 3}]}), {}, TypeError, "keys must be strings"),
    ((NOOP, {"n": "x" * (2 << 20)}), {}, ValueError, "MAX_ARGS_SIZE"),
    (("",), {}, ValueError, "''"),
    (("noop",), {}, ValueError, "'noop'"),
    (("tests.jobs. tasks",), {}, ValueError, "tests.jobs. tasks"),
    ((7,), {}, TypeError, "7"),
    ((lambda: 1,), {}, ValueError, "lambda"),
    ((functools.partial(tasks.noop),), {}, ValueError, "partial"),
    (("os.system", {"command": "true"}), {}, TaskNotAllowedError, "not in the allowed list"),
    ((NOOP,), {"queue": ""}, ValueError, "queue"),
    ((NOOP,), {"queue": 5}, TypeError, "queue"),
    ((NOOP,), {"priority": 101}, ValueError, "priority"),
    ((NOOP,), {"priority": True}, TypeError, "priority"),
    ((NOOP,), {"timeout": 0}, ValueError, "timeout"),
    ((NOOP,), {"max_attempts": 0}, ValueError, "max_attempts"),
    ((NOOP,), {"run_after": datetime.datetime(2030, 1, 1)}, ValueError, "run_after"),
    ((NOOP,), {"expires": "tomorrow"}, TypeError, "expires"),
    ((NOOP,), {"unique_key": "k" * 256}, ValueError, "unique_key"),
    ((NOOP,), {"using": "nowhere"}, ValueError, "nowhere"),
]


@pytest.mark.parametrize(("args", "more", "kind", "said"), WRONG, ids=[f"{i}-{w[3]}" for i, w in enumerate(WRONG)])
def test_wrong_input_names_what_is_wrong_and_adds_no_row(
    args: tuple[Any, ...], more: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        dsq.create_task(*args, **more)
    assert said in str(caught.value)
    assert not Task.objects.exists()


def test_a_task_is_stored_as_it_was_asked_for() -> None:
    when = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
    task_id = dsq.create_task(
        tasks.echo, {"value": (1, 2)}, queue="q", priority=7, run_after=when, max_attempts=3, timeout=1.5
    )
    task = Task.objects.get(id=task_id)
    assert (task.task, json.loads(task.args or "")) == ("tests.jobs.tasks.echo", {"value": [1, 2]})
    assert (task.queue, task.priority, task.rank, task.run_after) == ("q", 7, -7, when)
    assert (task.max_attempts, task.timeout, task.status) == (3, 1.5, Task.SCHEDULED)


def test_tasks_keep_the_order_in_which_they_were_made() -> None:
    ids = [dsq.create_task(NOOP) for _ in range(5)] + dsq.create_tasks([{"task": NOOP}] * 5)
    assert list(Task.objects.order_by("seq").values_list("id", flat=True)) == ids


def test_many_are_added_or_none() -> None:
    with pytest.raises(TypeError, match=r"specs\[1\]"):
        dsq.create_tasks([{"task": NOOP}, {"task": NOOP, "args": [1]}])
    with pytest.raises(TypeError, match="no argument 'prioritty'"):
        dsq.create_tasks([{"task": NOOP, "prioritty": 1}])
    assert not Task.objects.exists()
    assert dsq.create_tasks([]) == []


def test_a_unique_key_adds_one_task_at_a_time() -> None:
    first = dsq.create_task(NOOP, unique_key="k")
    assert dsq.create_task(NOOP, unique_key="k") == first
    assert dsq.create_task(NOOP, unique_key="K ") != first  # no collation decides
    assert dsq.cancel_task(first)
    second = dsq.create_task(NOOP, unique_key="k")
    assert second != first
    assert dsq.retry_task(first) is False  # the other one has the key now
    Task.objects.filter(id=second).update(status=Task.COMPLETED)  # ended by hand
    assert dsq.create_task(NOOP, unique_key="k") not in (first, second)


def test_enqueueing_goes_with_the_callers_transaction() -> None:
    with transaction.atomic():
        dsq.create_task(NOOP)
        transaction.set_rollback(True)
    assert not Task.objects.exists()


def test_cancel_and_retry() -> None:
    task_id = dsq.create_task(NOOP)
    assert dsq.retry_task(task_id) is False
    assert dsq.cancel_task(str(task_id)) is True
    assert dsq.cancel_task(task_id) is False
    assert dsq.cancel_task(uuid.uuid4()) is False
    assert dsq.retry_task(task_id) is True
    assert Task.objects.get(id=task_id).status == Task.QUEUED
    with pytest.raises(ValueError, match="UUID"):
        dsq.cancel_task("zzz")


def test_async_twins_do_the_same() -> None:
    task_id = async_to_sync(dsq.acreate_task)(NOOP, {"n": 1})
    assert len(async_to_sync(dsq.acreate_tasks)([{"task": NOOP}] * 2)) == 2
    assert async_to_sync(dsq.acancel_task)(task_id) is True
    assert async_to_sync(dsq.aretry_task)(task_id) is True


def test_the_names_of_0_1_are_there() -> None:
    from django_simple_queue.utils import TaskNotAllowedError as same
    from django_simple_queue.utils import create_task

    assert create_task(NOOP, {"n": 1})
    assert same is TaskNotAllowedError
    assert issubclass(dsq.exceptions.TaskNotAllowedError, Exception)
