"""`manage.py check` names what is wrong in the settings and what would be right."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core.checks import CheckMessage, registry, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from django_simple_queue import checks
from django_simple_queue.backends import ClaimStrategy, Fit
from django_simple_queue.backends.dialects import dialect_for
from django_simple_queue.conf import get_settings

TAG = "django_simple_queue"


class Never(ClaimStrategy):
    """A strategy that no database can run."""

    name = "never"

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        return Fit(False, "this is never right")

    def _take(self, spec: Any, limit: int) -> list[Any]:
        raise NotImplementedError


def found() -> list[CheckMessage]:
    return run_checks(tags=[TAG])


def ids() -> list[str]:
    return [str(message.id).removeprefix(f"{TAG}.") for message in found()]


def test_nothing_is_wrong_with_the_defaults() -> None:
    assert found() == []


def test_they_are_registered_under_a_tag_of_their_own() -> None:
    assert TAG in registry.registry.tags_available()
    assert checks.check_settings in registry.registry.get_checks()


RIGHT = [
    ("ALLOWED_TASKS", {"myapp.tasks.send", "reports.*", "a.b.c.*"}),
    ("ALLOWED_TASKS", ["myapp.tasks.send"]),
    ("ALLOWED_TASKS", None),
    ("TASK_TIMEOUT", None),
    ("TASK_TIMEOUT", 0),
    ("TASK_TIMEOUT", -1),
    ("TASK_TIMEOUT", 0.5),
    ("STATUS_ACCESS", "staff"),
    ("STATUS_ACCESS", "public"),
    ("STATUS_ACCESS", "tests.jobs.tasks.noop"),
    ("STATUS_ACCESS", lambda request, task: True),
    ("CLAIM_STRATEGY", "auto"),
    ("CLAIM_STRATEGY", "compare_and_swap"),
    ("CLAIM_STRATEGY", f"{__name__}.Never"),
    ("CLAIM_STRATEGY", {"default": "row_lock"}),
    ("DATABASE", "default"),
    ("DATABASE", None),
    ("RETRY_BACKOFF", 0),
    ("KEEP_FINISHED", datetime.timedelta(days=30)),
    ("KEEP_FINISHED", 0),
    ("SCHEDULE", {}),
    ("HEARTBEAT_SECONDS", 10),
    ("CLAIMS", ["tests.edges.querysets.in_order"]),
    ("CLAIMS", ()),
    ("CLAIMS", None),
]
WRONG = [
    ("E001", "TASK_TIMEOUT", "60"),
    ("E001", "TASK_TIMEOUT", True),
    ("E001", "MAX_OUTPUT_SIZE", 0),
    ("E001", "MAX_OUTPUT_SIZE", 1.5),
    ("E001", "MAX_ARGS_SIZE", None),
    ("E001", "MAX_ATTEMPTS", 0),
    ("E001", "RETRY_BACKOFF", -1),
    ("E001", "RETRY_BACKOFF", float("nan")),
    ("E001", "LEASE_SECONDS", 0),
    ("E001", "LEASE_SECONDS", float("inf")),
    ("E001", "HEARTBEAT_SECONDS", "5"),
    ("E001", "MAX_WORKER_LOSSES", 0),
    ("E001", "KEEP_FINISHED", "30 days"),
    ("E001", "SCHEDULE", ["x"]),
    ("E001", "NOTIFY", "no"),
    ("E002", "ALLOWED_TASKS", "myapp.tasks.send"),
    ("E002", "ALLOWED_TASKS", 5),
    ("E003", "ALLOWED_TASKS", ["*"]),
    ("E003", "ALLOWED_TASKS", [".*"]),
    ("E003", "ALLOWED_TASKS", ["myapp.tasks*"]),
    ("E003", "ALLOWED_TASKS", ["myapp.*.send"]),
    ("E003", "ALLOWED_TASKS", ["myapp tasks.send"]),
    ("E003", "ALLOWED_TASKS", ["send"]),
    ("E003", "ALLOWED_TASKS", [""]),
    ("E003", "ALLOWED_TASKS", [None]),
    ("E004", "STATUS_ACCESS", "everybody"),
    ("E004", "STATUS_ACCESS", "myapp.nowhere.allowed"),
    ("E004", "STATUS_ACCESS", "tests.jobs.tasks.nowhere"),
    ("E004", "STATUS_ACCESS", "tests.jobs.tasks.not_callable"),
    ("E004", "STATUS_ACCESS", None),
    ("E004", "STATUS_ACCESS", 7),
    ("E005", "DATABASE", "nowhere"),
    ("E006", "CLAIM_STRATEGY", "skip_lock"),
    ("E006", "CLAIM_STRATEGY", "tests.jobs.tasks.noop"),
    ("E006", "CLAIM_STRATEGY", None),
    ("E006", "CLAIM_STRATEGY", {"default": "nonsense"}),
    ("E008", "HEARTBEAT_SECONDS", 30),
    ("E008", "LEASE_SECONDS", 5),
    ("E009", "CLAIMS", "tests.edges.querysets.in_order"),
    ("E009", "CLAIMS", 5),
    ("E009", "CLAIMS", ["tests.edges.nowhere.in_order"]),
    ("E009", "CLAIMS", ["tests.edges.querysets.nowhere"]),
    ("E009", "CLAIMS", ["tests.edges.querysets.values"]),
    ("E009", "CLAIMS", ["tests.edges.querysets.a_list"]),
    ("E009", "CLAIMS", ["tests.edges.querysets.broken"]),
    ("E009", "CLAIMS", ["tests.edges.querysets"]),
    ("E009", "CLAIMS", [None]),
    ("W002", "HEARTBEAT_SECONDS", 11),
    ("W003", "CLAIM_STRATEGY", {"nowhere": "auto"}),
]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_right_value_is_accepted(settings: Any, name: str, value: Any) -> None:
    setattr(settings, checks.PREFIX + name, value)
    assert found() == []
    get_settings()


@pytest.mark.parametrize(("expected", "name", "value"), WRONG)
def test_a_wrong_value_is_named_with_what_would_be_right(settings: Any, expected: str, name: str, value: Any) -> None:
    setattr(settings, checks.PREFIX + name, value)
    assert ids() == [expected]
    (message,) = found()
    assert checks.PREFIX + name in message.msg
    assert message.hint


def test_every_setting_is_checked() -> None:
    tried = {checks.PREFIX + name for _, name, _ in WRONG}
    assert tried == {*checks.KNOWN}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("DJANGO_SIMPLE_QUEUE_ALOWED_TASKS", "Did you mean DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS?"),
        ("DJANGO_SIMPLE_QUEUE_LEASE", "Did you mean DJANGO_SIMPLE_QUEUE_LEASE_SECONDS?"),
        ("DJANGO_SIMPLE_QUEUE_Q", "There are DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS, "),
    ],
)
def test_a_setting_that_does_not_exist_is_warned_of(settings: Any, name: str, hint: str) -> None:
    setattr(settings, name, 1)
    (message,) = found()
    assert message.id == f"{TAG}.W001"
    assert name in message.msg
    assert str(message.hint).startswith(hint)


def test_atomic_tasks_are_warned_of_where_one_transaction_holds_up_all_others(atomic_callables: list[str]) -> None:
    atomic_callables += ["myapp.tasks.b", "myapp.tasks.a", "myapp.tasks.b"]
    if not dialect_for(connection).one_writer:
        assert found() == []
    else:
        (message,) = found()
        assert message.id == f"{TAG}.W004"
        assert "(myapp.tasks.a, myapp.tasks.b) on database 'default'" in message.msg


def test_atomic_tasks_do_not_hide_what_else_is_wrong(settings: Any, atomic_callables: list[str]) -> None:
    atomic_callables.append("myapp.tasks.a")
    settings.DJANGO_SIMPLE_QUEUE_DATABASE = "nowhere"
    settings.DJANGO_SIMPLE_QUEUE_TASK_TIMEOUT = "soon"
    assert ids() == ["E001", "E005"]


@pytest.mark.django_db
def test_ordinary_checks_send_nothing_to_a_database(settings: Any, django_assert_num_queries: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = f"{__name__}.Never"
    settings.DJANGO_SIMPLE_QUEUE_DATABASE = "default"
    settings.DJANGO_SIMPLE_QUEUE_CLAIMS = ["tests.edges.querysets.in_order"]
    with django_assert_num_queries(0):
        assert found() == []


@pytest.mark.django_db
@pytest.mark.parametrize("value", [f"{__name__}.Never", {"default": f"{__name__}.Never"}])
def test_a_strategy_that_the_database_cannot_run_is_found_when_the_database_is_checked(
    settings: Any, value: Any
) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = value
    with pytest.raises(SystemCheckError, match=r"django_simple_queue\.E007.*this is never right"):
        call_command("check", databases=["default"])
    (message,) = checks.check_strategies(databases=["default"])
    assert connection.alias in message.msg


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["auto", "compare_and_swap", "no_such", {"default": 5}])
def test_the_database_check_says_nothing_where_the_strategy_runs_or_is_unknown(settings: Any, value: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = value
    assert checks.check_strategies(databases=["default"]) == []
    assert checks.check_strategies(databases=None) == []
