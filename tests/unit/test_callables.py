"""From a name to a callable: only what the project defines, or what it has allowed by name."""

from __future__ import annotations

import functools
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from django_simple_queue import callables
from django_simple_queue.callables import check_name, is_allowed, name_of, resolve
from django_simple_queue.exceptions import TaskNotAllowedError
from django_simple_queue.models import Task
from tests.jobs import tasks

# Names


@pytest.mark.parametrize("name", ["a.b", "a.b.c", "tests.jobs.tasks.noop", "ä.ö", "a" * 100 + "." + "b" * 154])
def test_a_dotted_name_is_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "noop", "a.", ".b", "a..b", "a b.c", "a.b()", "a.b\n", "a.b\0", "1.2", "a-b.c", "a.b.*"]
)
def test_anything_else_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="dotted name"):
        check_name(name)


def test_a_name_that_the_column_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="256 characters long, at most 255"):
        check_name("a." + "b" * 254)


@pytest.mark.parametrize("value", [None, 7, b"a.b", ["a.b"]])
def test_what_is_no_text_and_cannot_be_called_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="task should be a dotted name or a module-level function"):
        name_of(value)


@pytest.mark.parametrize("target", [tasks.noop, tasks.Greeter, tasks.decorated, tasks.awaited])
def test_a_callable_is_found_by_its_own_name(target: Any) -> None:
    assert name_of(target) == f"tests.jobs.tasks.{target.__name__}"


def local() -> Any:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    "target", [lambda: None, local(), tasks.Greeter.never, tasks.Greeter().__str__, functools.partial(tasks.echo, 5)]
)
def test_a_callable_that_cannot_be_found_again_is_refused(target: Any) -> None:
    with pytest.raises(ValueError, match="top of an importable module"):
        name_of(target)


# Without a list: the project's own


@pytest.mark.parametrize("name", ["noop", "echo", "count_to", "awaited", "decorated", "echo_five", "Greeter"])
def test_the_projects_own_callables_run(name: str) -> None:
    assert resolve(f"tests.jobs.tasks.{name}").call is getattr(tasks, name)


def test_whether_it_streams_is_seen_through_its_wrappers() -> None:
    assert resolve("tests.jobs.tasks.count_to").streams
    assert resolve("tests.jobs.tasks.decorated_stream").streams
    assert not resolve("tests.jobs.tasks.decorated").streams


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "subprocess.check_output",
        "builtins.eval",
        "shutil.rmtree",
        "django.core.management.call_command",
        "django.contrib.auth.models.User",
        "django_simple_queue.api.create_task",
        "django_simple_queue.management.commands.task_prune.Command",
        "testsuite.anything",  # begins like an installed app's name
    ],
)
def test_what_is_not_the_projects_own_is_refused_by_its_name(name: str) -> None:
    assert not is_allowed(name)
    with pytest.raises(TaskNotAllowedError, match="not in the allowed list"):
        resolve(name)


def test_what_the_project_only_imported_is_refused_where_it_is_defined() -> None:
    for name in ("disguised_system", "Any"):
        with pytest.raises((TaskNotAllowedError, TypeError)):
            resolve(f"tests.jobs.tasks.{name}")
    with pytest.raises(TaskNotAllowedError, match="it is defined in"):
        resolve("tests.jobs.tasks.disguised_system")


@pytest.mark.parametrize(
    "hidden",
    [
        "system = os.system",
        "run = functools.partial(os.system, 'true')",
        "run = functools.partial(functools.partial(os.system), 'true')",
        "run = functools.wraps(os.system)(lambda *a: os.system(*a))",
        "run = subprocess.run",
        "check_output = subprocess.check_output",
        "Popen = subprocess.Popen",
        "runner = os.popen",
        "eval = eval",
        "attr = operator.attrgetter('x')",
        "call = operator.methodcaller('x')",
        "bound = [].append",
    ],
)
def test_no_disguise_helps(hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the project's that has somebody else's callable under a name of its own."""
    module = f"hidden_{abs(hash(hidden))}"
    (tmp_path / f"{module}.py").write_text(f"import functools, operator, os, subprocess\n{hidden}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(callables, "_project_roots", lambda: (module,))
    callables._resolved.clear()
    with pytest.raises(TaskNotAllowedError, match="it is defined in"):
        resolve(f"{module}.{hidden.partition(' ')[0]}")
    sys.modules.pop(module, None)


def test_a_name_reaches_no_further_than_a_modules_own_names() -> None:
    with pytest.raises(ModuleNotFoundError):
        resolve("tests.jobs.tasks.os.system")
    for name in ("Greeter.never", "functools.partial"):
        with pytest.raises(ModuleNotFoundError):
            resolve(f"tests.jobs.tasks.{name}")
    for name in ("__builtins__", "os"):
        with pytest.raises(TypeError, match="is not callable"):
            resolve(f"tests.jobs.tasks.{name}")


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("tests.jobs.nowhere.noop", ModuleNotFoundError, "tests.jobs.nowhere"),
        ("tests.jobs.tasks.nowhere", AttributeError, "tests.jobs.tasks.nowhere"),
        ("tests.jobs.tasks.not_callable", TypeError, "tests.jobs.tasks.not_callable"),
    ],
)
def test_what_cannot_be_had_is_named(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        resolve(name)


def test_a_module_beside_the_settings_is_the_projects_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_allowed("tests.anything.at_all")  # the settings are tests.settings


# With a list


def test_a_list_allows_what_it_names_and_nothing_else(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = ["tests.jobs.tasks.noop"]
    assert resolve("tests.jobs.tasks.noop").call is tasks.noop
    with pytest.raises(TaskNotAllowedError, match=r"not in the allowed list: it is not in .*ALLOWED_TASKS"):
        resolve("tests.jobs.tasks.echo")


def test_a_name_on_the_list_runs_wherever_it_is_defined(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = {"os.getcwd", "tests.jobs.tasks.disguised_system"}
    assert resolve("os.getcwd").call is os.getcwd
    assert resolve("tests.jobs.tasks.disguised_system")


def test_a_pattern_allows_a_package_but_not_what_it_imported(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = ["tests.jobs.*"]
    assert resolve("tests.jobs.tasks.noop")
    assert not is_allowed("tests.jobsworth.noop")
    assert not is_allowed("tests.other.noop")
    with pytest.raises(TaskNotAllowedError):
        resolve("tests.jobs.tasks.disguised_system")


def test_an_empty_list_allows_nothing(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = []
    with pytest.raises(TaskNotAllowedError):
        resolve("tests.jobs.tasks.noop")


def test_a_change_of_the_list_is_seen_at_once() -> None:
    assert resolve("tests.jobs.tasks.noop")
    with override_settings(DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=["somewhere.else"]), pytest.raises(TaskNotAllowedError):
        resolve("tests.jobs.tasks.noop")
    assert resolve("tests.jobs.tasks.noop")


def test_importing_a_refused_module_does_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves_a_trace.py").write_text(textwrap.dedent("import os\nos.environ['DSQ_TRACE'] = 'here'\n"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TaskNotAllowedError):
        resolve("leaves_a_trace.task")
    assert "DSQ_TRACE" not in os.environ


# The model's own checks, which 0.1.x offers


def test_the_models_checks_name_their_field() -> None:
    Task(task="tests.jobs.tasks.noop", args='{"a": 1}').clean_task()
    for args in (None, "", "{}", "[1]"):
        Task(args=args).clean_args()
    for name in ("os.system", "tests.jobs.tasks.nowhere", "", "tests.jobs.tasks.not_callable"):
        with pytest.raises(ValidationError) as caught:
            Task(task=name).clean_task()
        assert [*caught.value.message_dict] == ["task"]
    with pytest.raises(ValidationError) as caught:
        Task(args="{nonsense").clean_args()
    assert [*caught.value.message_dict] == ["args"]
    assert Task._callable_task("tests.jobs.tasks.noop") is tasks.noop
