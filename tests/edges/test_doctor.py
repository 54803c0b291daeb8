"""task_doctor says how a database claims and why, and what about it is not as it should be."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_simple_queue import doctor
from django_simple_queue.backends import get_strategy
from django_simple_queue.backends.health import INFO, UNSAFE, WARNING, health_of
from django_simple_queue.backends.task_table import INDEXES
from django_simple_queue.models import Task, Worker

APP = "django_simple_queue"


def run(*options: str) -> tuple[str, int]:
    """Output and exit code of the command."""
    out = StringIO()
    try:
        call_command("task_doctor", *options, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


def findings(about: str = "") -> list[dict[str, str]]:
    return [finding for finding in doctor.examine("default")["findings"] if about in finding["what"]]


@pytest.fixture
def migrated_to(transactional_db: None) -> Iterator[Any]:
    """Migrate the app to a point in its history; afterwards all the way again."""

    def migrate(target: str | None) -> None:
        MigrationExecutor(connection).migrate([(APP, target)])  # type: ignore[list-item]

    yield migrate
    executor = MigrationExecutor(connection)
    executor.migrate([leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] == APP])


# The report


@pytest.mark.django_db
def test_the_report_names_the_strategy_and_why() -> None:
    out, code = run("--json")
    report = json.loads(out)["databases"]["default"]
    head = ["vendor", "version", "driver", "isolation", "strategy", "why", "passed_over"]
    assert [*report] == [*head, "claims", "findings"]
    strategy = get_strategy("default")
    assert (report["strategy"], report["why"]) == (strategy.name, strategy.why)
    assert report["vendor"] in ("postgresql", "mysql", "mariadb", "sqlite")
    assert report["isolation"] in ("read committed", "serializable")
    assert report["version"][0].isdigit()
    assert report["driver"]
    assert all({*finding} == {"level", "what", "fix"} for finding in report["findings"])
    assert {finding["level"] for finding in report["findings"]} <= {UNSAFE, WARNING, INFO}
    assert code == 0


@pytest.mark.django_db
def test_a_forced_strategy_is_reported_as_asked_for(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = {"default": "compare_and_swap"}
    report = doctor.examine("default")
    assert report["strategy"] == "compare_and_swap"
    assert report["why"].startswith("asked for")


@pytest.mark.django_db
def test_a_strategy_that_cannot_run_is_unsafe(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = "tests.edges.test_checks.Never"
    out, code = run("--json")
    report = json.loads(out)["databases"]["default"]
    assert code == 1
    assert report["strategy"] is None
    assert report["findings"][0]["level"] == UNSAFE
    assert "this is never right" in report["findings"][0]["what"]


@pytest.mark.django_db
def test_people_get_lines_that_fit_and_no_colours_outside_a_terminal() -> None:
    out, code = run()
    assert code == 0
    assert f"strategy  {get_strategy('default').name}: " in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.django_db
def test_each_database_is_examined_once() -> None:
    out, _ = run("--json", "--database", "default", "--database", "default")
    assert [*json.loads(out)["databases"]] == ["default"]


def test_an_alias_that_does_not_exist_is_named() -> None:
    with pytest.raises(CommandError, match="There is no database 'nowhere' in DATABASES; there is default"):
        call_command("task_doctor", database=["nowhere"])


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_unsafe(tmp_path: Path) -> None:
    names = ("ENGINE", "USER", "PASSWORD", "HOST", "PORT")
    absent = {name: connection.settings_dict[name] for name in names} | {"NAME": "/no/such/folder/absent"}
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DSQ_TEST_DATABASES_JSON": json.dumps({"default": absent}),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "django", "task_doctor", "--json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (finding,) = json.loads(done.stdout)["databases"]["default"]["findings"]
    assert finding["level"] == UNSAFE
    assert finding["what"].startswith("Database 'default' does not answer: ")


# Tables


def test_before_the_first_migration_it_says_so(migrated_to: Any) -> None:
    migrated_to(None)
    out, code = run("--json")
    report = json.loads(out)["databases"]["default"]
    assert code == 1
    assert report["strategy"]
    (task_table, *_) = [f for f in report["findings"] if f["level"] == UNSAFE]
    assert task_table["what"] == f"The table {Task._meta.db_table} is missing: workers do not start."
    assert "migrate django_simple_queue --database default" in task_table["fix"]


@pytest.mark.parametrize("version", ["0001_initial", "0002_task_error_task_log_task_worker_pid"])
def test_before_an_upgrade_it_lists_what_would_be_refused(migrated_to: Any, version: str) -> None:
    migrated_to(version)
    now = timezone.now()
    rows = [
        ("tests.jobs.tasks.noop", "{}", 0),
        ("os.system", "{}", 0),
        ("os.system", '{"command": "true"}', 0),
        ("os.getcwd", "{}", 2),
        ("tests.jobs.tasks.echo", "[1]", 0),
        ("tests.jobs.tasks.echo", None, 1),
    ]
    old = MigrationExecutor(connection).loader.project_state([(APP, version)]).apps.get_model(APP, "Task")
    for task, args, status in rows:
        old.objects.create(task=task, args=args, status=status, created=now)
    (refused,) = findings("os.system")
    assert refused["level"] == WARNING
    assert refused["what"].startswith("2 waiting tasks of 'os.system' would fail: TaskNotAllowedError: ")
    assert not findings("getcwd")
    assert findings("1 waiting task would fail, since the arguments are no JSON object")
    (in_progress,) = findings("in progress under version 0.1")
    assert in_progress["level"] == INFO
    assert findings(f"The table {Task._meta.db_table} lacks ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", INDEXES)
def test_a_missing_index_is_found(name: str) -> None:
    assert not findings("index")
    quoted = {"name": connection.ops.quote_name(name), "table": connection.ops.quote_name(Task._meta.db_table)}
    try:
        with connection.cursor() as cursor:
            cursor.execute(connection.SchemaEditorClass.sql_delete_index % quoted)
        (finding,) = findings(name)
        assert "is missing" in finding["what"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_definition(name))


def _definition(name: str) -> str:
    index = INDEXES[name]
    partial = connection.features.supports_partial_indexes
    columns = ", ".join(map(connection.ops.quote_name, index.columns if partial else index.full))
    unique = "UNIQUE " if name == "dsq_slot" else ""
    where = f" WHERE {index.where}" if partial else ""
    return f"CREATE {unique}INDEX {name} ON {Task._meta.db_table} ({columns}){where}"


# Tasks


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("os.system", "TaskNotAllowedError"),
        ("tests.jobs.tasks.os.system", "TaskNotAllowedError|ModuleNotFoundError|ImportError"),
        ("tests.jobs.nowhere.noop", "ModuleNotFoundError"),
        ("tests.jobs.tasks.nowhere", "AttributeError"),
        ("tests.jobs.tasks.not_callable", "TypeError"),
        ("noop", "ValueError"),
        ("", "ValueError"),
        ("..", "ValueError"),
    ],
)
def test_waiting_tasks_that_would_fail_are_listed_with_the_reason(name: str, reason: str) -> None:
    Task.objects.create(task=name, args="{}")
    Task.objects.create(task=name, args="{}", status=Task.SCHEDULED)
    Task.objects.create(task=name, args="{}", status=Task.FAILED)
    (finding,) = findings("would fail")
    assert finding["what"].startswith(f"2 waiting tasks of {name!r} would fail: ")
    assert finding["what"].split(": ")[1] in reason.split("|")


@pytest.mark.django_db
def test_a_module_that_breaks_on_import_does_not_break_the_doctor(
    settings: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "breaks_on_import.py").write_text("raise RuntimeError('not today')")
    monkeypatch.syspath_prepend(tmp_path)
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = ["breaks_on_import.*"]
    Task.objects.create(task="breaks_on_import.task", args="{}")
    assert findings("RuntimeError: not today")


@pytest.mark.django_db
@pytest.mark.parametrize("args", ["{nonsense", "[1]", "null", '"text"', "7"])
def test_arguments_that_are_no_json_object_are_listed_by_id(args: str) -> None:
    tasks = [Task.objects.create(task="tests.jobs.tasks.noop", args=args) for _ in range(5)]
    (finding,) = findings("would fail")
    assert finding["what"].endswith("and 2 more.")
    assert sum(str(task.pk) in finding["what"] for task in tasks) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("args", [None, "", "{}", '{"value": NaN}'])
def test_arguments_that_will_do_are_not_listed(args: str | None) -> None:
    Task.objects.create(task="tests.jobs.tasks.noop", args=args)
    assert not findings("would fail")


@pytest.mark.django_db
def test_rows_in_progress_that_nobody_holds_are_listed() -> None:
    left = Task.objects.create(task="tests.jobs.tasks.noop", status=Task.PROGRESS)
    held = Task.objects.create(task="tests.jobs.tasks.noop", status=Task.PROGRESS, holder=2**32)
    (finding,) = findings("in progress that nobody holds")
    assert finding["level"] == WARNING
    assert str(left.pk) in finding["what"]
    assert str(held.pk) not in finding["what"]
    assert finding["what"].startswith("1 task in progress")


# Workers, clocks, routers, connections


def worker(name: str, beat_ago: float, state: int = Worker.ALIVE) -> None:
    then = timezone.now() - datetime.timedelta(seconds=beat_ago)
    Worker.objects.create(name=name, host="hive", pid=1, state=state, beat_at=then, started_at=then)


@pytest.mark.django_db
def test_workers_that_are_silent_are_named_and_the_dead_are_not() -> None:
    assert findings("No worker is running")
    worker("silent", 3600)
    worker("dead", 3600, Worker.DEAD)
    assert findings("No worker is running")
    worker("busy", 0)
    assert not findings("No worker is running")
    (finding,) = findings("has not beaten")
    assert "silent" in finding["what"]


@pytest.mark.django_db
def test_the_clocks_agree_here_and_a_skew_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    health = health_of(connection, Task._meta.db_table)
    assert abs(health.clock_ahead()) < 0.5
    assert not findings("clock")
    monkeypatch.setattr(type(health), "clock_ahead", lambda self: -7.25)
    (finding,) = findings("clock")
    assert "7.2 s behind this machine's" in finding["what"]


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
@pytest.mark.parametrize("use_tz", [True, False])
def test_no_time_zone_looks_like_a_skew(settings: Any, zone: str, use_tz: bool) -> None:
    settings.TIME_ZONE, settings.USE_TZ = zone, use_tz
    assert abs(health_of(connection, Task._meta.db_table).clock_ahead()) < 0.5


class Replica:
    """Reads elsewhere."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


class Elsewhere(Replica):
    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "elsewhere"


@pytest.mark.django_db
def test_a_router_that_reads_elsewhere_is_named(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]
    (finding,) = findings("reads from 'replica' and writes to 'default'")
    assert finding["level"] == INFO


@pytest.mark.django_db
def test_a_queue_that_is_not_where_the_orm_writes_is_a_warning(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    settings.DJANGO_SIMPLE_QUEUE_DATABASE = "default"
    (finding,) = findings("Task.objects.create() writes to 'elsewhere', and workers look in 'default'")
    assert finding["level"] == WARNING


@pytest.mark.django_db
def test_connections_that_are_kept_unchecked_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not findings("CONN_MAX_AGE")
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    assert findings("CONN_MAX_AGE is None")
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    assert not findings("CONN_MAX_AGE")


def test_a_missing_table_of_leases_is_found(migrated_to: Any) -> None:
    assert not findings("lease()")
    migrated_to("0003_task_queue")
    (finding,) = findings("lease()")
    assert finding["level"] == WARNING
    assert "migrate django_simple_queue --database default" in finding["fix"]


@pytest.mark.django_db
def test_it_writes_nothing() -> None:
    Task.objects.create(task="os.system", args="[]", status=Task.QUEUED, id=uuid.uuid4())
    with CaptureQueriesContext(connection) as captured:
        doctor.examine("default")
    for query in captured.captured_queries:
        assert query["sql"].split()[0].upper() in ("SELECT", "SHOW", "PRAGMA", "WITH"), query["sql"]
