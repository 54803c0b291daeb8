"""What the command's options do."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
from django.conf import settings as test_settings

from django_simple_queue.models import Task, Worker

from .stage import Stage, await_status, create, eventually, nothing_held, row


def test_several_processes_run_at_once(stage: Stage) -> None:
    for _ in range(3):
        create("wait_for", {"name": "go"})
    worker = stage.worker("--burst", "--processes", "3")
    stage.await_starts(3)
    stage.let("go")
    assert worker.wait() == 0
    assert len({pid for pid, _, _ in stage.notes("start")}) == 3


def test_a_runner_that_has_grown_is_replaced_and_no_task_lost_or_repeated(stage: Stage) -> None:
    tasks = [create("run") for _ in range(12)]
    stage.burst("--max-rss", "1", "--processes", "2")
    assert len({pid for pid, _, _ in stage.notes("start")}) == len(tasks)
    assert {(row(task).status, row(task).losses, stage.starts()[str(task.id)]) for task in tasks} == {
        (Task.COMPLETED, 0, 1)
    }


def test_a_worker_has_its_name_in_rows(stage: Stage) -> None:
    task = create("run")
    worker = stage.ready("--name", "north-1")
    assert await_status(task, Task.COMPLETED).worker == "north-1"
    assert Worker.objects.get().name == "north-1"
    assert worker.stop() == 0


def test_a_strategy_may_be_asked_for(stage: Stage) -> None:
    task = create("run")
    assert "strategy compare_and_swap: asked for" in stage.burst("--strategy", "compare_and_swap")
    assert row(task).status == Task.COMPLETED


def test_work_is_found_at_the_interval_asked_for(stage: Stage) -> None:
    worker = stage.ready("--poll-interval", "0.1")
    await_status(create("run"), Task.COMPLETED, seconds=5)
    assert worker.stop() == 0


def test_verbosity_says_nothing_or_also_what_tasks_print(stage: Stage) -> None:
    create("tests.jobs.disorder.says", {"text": "printed"})
    assert "printed" in stage.burst("--verbosity", "2")
    create("tests.jobs.disorder.says", {"text": "printed"})
    assert stage.burst("--verbosity", "0") == ""


# -- several databases -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(stage: Stage) -> str:
    """A second alias, of the same database: who works on which is then seen in Worker rows."""
    databases: dict[str, Any] = json.loads(stage.environment["DSQ_TEST_DATABASES_JSON"])
    return json.dumps({"default": databases["default"], "second": databases["default"]})


def test_two_databases_have_a_worker_each_that_end_together(stage: Stage, two: str) -> None:
    tasks = [create("run") for _ in range(20)]
    fleet = stage.worker("--database", "default", "--database", "second", DSQ_TEST_DATABASES_JSON=two)
    for task in tasks:
        await_status(task, Task.COMPLETED)
    assert eventually(lambda: Worker.objects.count() == 2)
    assert fleet.stop() == 0
    assert not Worker.objects.exists()


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1])
def test_a_signal_that_comes_early_stops_all(stage: Stage, two: str, delay: float) -> None:
    fleet = stage.worker("--database", "default", "--database", "second", DSQ_TEST_DATABASES_JSON=two)
    eventually(fleet.descendants, "its first child")
    time.sleep(delay)
    assert fleet.stop(seconds=10) == 0


def test_a_fleet_that_cannot_work_on_one_database_ends(stage: Stage, two: str) -> None:
    databases = json.loads(two)
    databases["second"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(stage.folder / "empty.sqlite3")}
    fleet = stage.worker("--database=default", "--database=second", DSQ_TEST_DATABASES_JSON=json.dumps(databases))
    assert fleet.wait() == 2
    assert "manage.py migrate --database second" in fleet.said
    assert not Worker.objects.exists()


# -- signals, and a terminal that is closed -------------------------------------------------------------------------


def test_two_signals_at_once_end_all_runners_without_a_loss(stage: Stage) -> None:
    tasks = [create("wait_for", {"name": "never"}) for _ in range(6)]
    worker = stage.ready("--processes", "3", "--shutdown-timeout", "60")
    stage.await_starts(3)
    os.kill(worker.pid, signal.SIGSTOP)
    worker.popen.send_signal(signal.SIGTERM)
    worker.popen.send_signal(signal.SIGINT)
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait(10) == 3
    assert {(row(task).status, row(task).losses) for task in tasks} == {(Task.QUEUED, 0)}
    assert len(stage.notes("start")) == 3
    assert nothing_held()


def test_a_closed_terminal_stops_it_as_sigterm_does(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready()
    stage.await_starts(1)
    worker.signal_group(signal.SIGHUP)
    stage.let("go")
    assert worker.wait() == 0
    assert (row(task).status, row(task).losses) == (Task.COMPLETED, 0)


# -- --reload --------------------------------------------------------------------------------------------------------


def test_reload_runs_the_changed_code(stage: Stage) -> None:
    app = stage.folder / "shop"
    app.mkdir()
    (app / "__init__.py").touch()
    jobs = app / "jobs.py"
    jobs.write_text("def answer():\n    return 'before'\n")
    worker = stage.ready(
        "--reload",
        settings={"INSTALLED_APPS": [*test_settings.INSTALLED_APPS, "shop"], "allowed_tasks": ["shop.*"]},
        PYTHONPATH=os.pathsep.join([str(stage.folder), stage.environment["PYTHONPATH"]]),
    )
    first = Task.objects.create(task="shop.jobs.answer", args="{}")
    await_status(first, Task.COMPLETED)
    jobs.write_text("def answer():\n    return 'after it was changed'\n")
    eventually(lambda: worker.said.count("Worker ") == 2, "a second worker")
    second = Task.objects.create(task="shop.jobs.answer", args="{}")
    await_status(second, Task.COMPLETED)
    assert [row(task).output for task in (first, second)] == ["before", "after it was changed"]
    assert worker.stop() == 0
    assert not Worker.objects.exists()
