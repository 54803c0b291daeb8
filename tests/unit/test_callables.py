"""Which names may run, and what they resolve to."""

from __future__ import annotations

import pytest
from django.test import override_settings

from django_simple_queue import conf
from django_simple_queue.callables import is_allowed, name_of, resolve
from django_simple_queue.exceptions import TaskNotAllowedError
from tests.jobs import tasks


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "posix.system",
        "subprocess.run",
        "builtins.eval",
        "django.core.management.call_command",
        "django_simple_queue.api.create_task",
        "tests.jobs.tasks.os.system",
        "tests.jobs.tasks.os",
        "tests.jobs.tasks.not_callable",
        "tests.jobs.tasks.nowhere",
        "tests.jobs.tasks.functools.partial",
    ],
)
def test_what_the_project_did_not_mean_to_run_does_not_resolve(path: str) -> None:
    with pytest.raises((TaskNotAllowedError, ImportError, AttributeError, TypeError)):
        resolve(path)


def test_a_name_that_a_module_only_imported_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(tasks, "borrowed", os.system, raising=False)
    with pytest.raises(TaskNotAllowedError, match="posix"):
        resolve("tests.jobs.tasks.borrowed")


def test_generators_are_told_from_plain_functions() -> None:
    assert resolve("tests.jobs.tasks.count_to").streams
    assert not resolve("tests.jobs.tasks.echo").streams


def test_a_function_is_known_by_its_name() -> None:
    assert name_of(tasks.echo) == "tests.jobs.tasks.echo"


@override_settings(DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=["tests.jobs.tasks.echo", "shop.*"])
def test_an_allow_list_takes_exact_names_and_patterns() -> None:
    assert is_allowed("tests.jobs.tasks.echo")
    assert is_allowed("shop.tasks.anything")
    assert not is_allowed("tests.jobs.tasks.noop")
    assert not is_allowed("shopping.tasks.anything")
    assert conf.is_task_allowed("shop.x.y")
    assert conf.get_allowed_tasks() == {"tests.jobs.tasks.echo", "shop.*"}
    with pytest.raises(TaskNotAllowedError):
        resolve("tests.jobs.tasks.noop")


@override_settings(DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=set())
def test_an_empty_allow_list_allows_nothing() -> None:
    assert not is_allowed("tests.jobs.tasks.echo")


@override_settings(DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=["os.getcwd"])
def test_a_name_in_the_allow_list_may_be_anybodys() -> None:
    assert resolve("os.getcwd").call() != ""
