"""Migration 0003, forwards and backwards, on the database of the session."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_simple_queue.backends import schema
from django_simple_queue.backends.task_table import INDEXES, TaskTable
from django_simple_queue.models import Task
from django_simple_queue.states import COMPLETED

from .databases import ALIAS
from .migrating import APP, CURRENT, HEAD_OF_0_1, PUBLISHED, TABLE, ZERO, add, migrate

NEW_COLUMNS = {
    *("queue", "rank", "seq", "run_after", "expires", "holder", "attempt", "losses", "max_attempts", "timeout"),
    *("unique_key", "unique_slot", "cancel_requested", "started_at", "finished_at", "worker"),
}


def columns(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        return {c.name for c in connection.introspection.get_table_description(cursor, TABLE)}


def indexes(connection: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        return dict(connection.introspection.get_constraints(cursor, TABLE))


def own_tables(connection: Any) -> set[str]:
    return {name for name in connection.introspection.table_names() if name.startswith(APP)}


def test_goes_to_and_fro_between_all_migrations(scratch: Any) -> None:
    for target, expected in (
        (CURRENT, True),
        (HEAD_OF_0_1, False),
        (CURRENT, True),
        (PUBLISHED, False),
        (CURRENT, True),
        (ZERO, None),
        (CURRENT, True),
    ):
        migrate(scratch, target)
        if expected is None:
            assert own_tables(scratch) == set()
            continue
        assert columns(scratch) >= NEW_COLUMNS if expected else not NEW_COLUMNS & columns(scratch)
        assert INDEXES.keys() <= indexes(scratch).keys() if expected else not INDEXES.keys() & indexes(scratch).keys()
        assert own_tables(scratch) == ({TABLE, f"{APP}_worker", f"{APP}_attempt"} if expected else {TABLE})


def test_the_slot_index_is_the_only_one_on_unique_slot_and_is_unique(scratch: Any) -> None:
    migrate(scratch, CURRENT)
    on_slot = {name: found for name, found in indexes(scratch).items() if found["columns"] == ["unique_slot"]}
    assert list(on_slot) == ["dsq_slot"]
    task = migrate(scratch, CURRENT)
    add(scratch, task, unique_slot="taken")
    add(scratch, task, unique_slot=None)
    add(scratch, task, unique_slot=None)
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        add(scratch, task, unique_slot="taken")


def test_indexes_that_users_made_themselves_survive_both_ways(scratch: Any) -> None:
    migrate(scratch, HEAD_OF_0_1)
    with scratch.cursor() as cursor:
        cursor.execute(f"CREATE INDEX status_modified_idx ON {TABLE} (status, modified)")
    for target in (CURRENT, HEAD_OF_0_1, CURRENT, PUBLISHED):
        migrate(scratch, target)
        assert indexes(scratch)["status_modified_idx"]["columns"] == ["status", "modified"]


def test_waiting_tasks_keep_the_order_of_modified(scratch: Any) -> None:
    old = migrate(scratch, PUBLISHED)
    # One without a fraction: Django leaves it out on SQLite.
    names = {add(scratch, old, when): when for when in (5, 1.5, 3, 0, 1.000001, 1, 1.25)}
    finished = add(scratch, old, 2, status=COMPLETED)
    new = migrate(scratch, CURRENT)
    found = new._base_manager.using(ALIAS).filter(status=0).order_by("seq")
    assert [names[task.pk] for task in found] == sorted(names.values())
    assert [task.seq for task in found] == [int(task.modified.timestamp() * 1_000_000) for task in found]
    assert new._base_manager.using(ALIAS).get(pk=finished).seq == 0


def test_the_order_counts_in_utc_where_times_are_stored_in_local_time(scratch: Any) -> None:
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Kolkata"):
        key = add(scratch, migrate(scratch, PUBLISHED))
        new = migrate(scratch, CURRENT)
        # Else what is enqueued in the next five hours would go before it.
        assert new._base_manager.using(ALIAS).get(pk=key).seq == pytest.approx(time.time_ns() // 1000, abs=60_000_000)


def test_a_row_with_the_columns_of_0_1_alone_gets_the_defaults(scratch: Any) -> None:
    for version, old_columns in ((PUBLISHED, ""), (HEAD_OF_0_1, ", error, log, worker_pid")):
        old = migrate(scratch, version)
        new = migrate(scratch, CURRENT)
        key = add(scratch, old)
        task = new._base_manager.using(ALIAS).get(pk=key)
        assert (task.queue, task.rank, task.seq, task.attempt, task.losses) == ("default", 0, 0, 0, 0), old_columns
        assert task.cancel_requested is False
        assert {getattr(task, n) for n in ("holder", "run_after", "finished_at", "unique_slot", "worker")} == {None}


def test_the_way_back_queues_what_was_scheduled_and_leaves_task_wide(scratch: Any) -> None:
    new = migrate(scratch, CURRENT)
    long_name = "shop.tasks." + "n" * 240
    later = add(scratch, new, status=5, task=long_name)
    kept = {status: add(scratch, new, status=status) for status in range(5)}
    old = migrate(scratch, HEAD_OF_0_1)
    found = old._base_manager.using(ALIAS)
    assert (found.get(pk=later).status, found.get(pk=later).task) == (0, long_name)
    assert {found.get(pk=key).status: key for key in kept.values()} == kept
    again = migrate(scratch, CURRENT)
    assert again._base_manager.using(ALIAS).get(pk=later).task == long_name


def test_the_task_table_is_never_copied(scratch: Any) -> None:
    migrate(scratch, HEAD_OF_0_1)
    with CaptureQueriesContext(scratch) as sent:
        migrate(scratch, CURRENT)
        migrate(scratch, HEAD_OF_0_1)
    made = [query["sql"] for query in sent if query["sql"].startswith(("CREATE TABLE", "INSERT INTO"))]
    assert not [sql for sql in made if TABLE in sql.replace(f"{APP}_worker", "").replace(f"{APP}_attempt", "")]


@pytest.mark.parametrize("backwards", [False, True])
def test_sqlmigrate_prints_every_statement(scratch: Any, backwards: bool) -> None:
    migrate(scratch, CURRENT)
    out = io.StringIO()
    call_command("sqlmigrate", APP, "0003", backwards=backwards, database=ALIAS, stdout=out)
    sql = out.getvalue()
    assert sql.count("INDEX") >= len(INDEXES)
    assert all(f'"{name}"' in sql or f"`{name}`" in sql for name in NEW_COLUMNS)
    assert ("DROP TABLE" if backwards else "CREATE TABLE") in sql


def test_models_and_migrations_agree_whatever_the_default_key_is(scratch: Any) -> None:
    call_command("makemigrations", APP, check=True, dry_run=True, verbosity=0)
    # Django would choose a key that is not named by DEFAULT_AUTO_FIELD.
    assert not [model for model in apps.get_app_config(APP).get_models() if model._meta.pk.auto_created]


def test_a_table_made_without_migrations_gets_its_indexes(scratch: Any) -> None:
    with override_settings(MIGRATION_MODULES={APP: None}):
        schema.index_without_migrations(using=ALIAS)  # no table, nothing to do
        with scratch.schema_editor() as editor:
            editor.create_model(Task)
        for _ in range(2):
            schema.index_without_migrations(using=ALIAS)
            assert INDEXES.keys() <= indexes(scratch).keys()


def test_a_table_made_by_migrations_is_left_to_them(scratch: Any) -> None:
    migrate(scratch, HEAD_OF_0_1)
    schema.index_without_migrations(using=ALIAS)
    assert not INDEXES.keys() & indexes(scratch).keys()


class Nowhere:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return app_label != APP


def test_a_router_that_keeps_the_app_out_is_obeyed(scratch: Any) -> None:
    with override_settings(DATABASE_ROUTERS=[Nowhere()]):
        migrate(scratch, CURRENT)
        assert own_tables(scratch) == set()
        migrate(scratch, ZERO)


@pytest.fixture
def unknown_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what Django itself offers for every database."""
    monkeypatch.setattr(schema, "TABLES", {})


@pytest.mark.usefixtures("unknown_database")
def test_a_database_that_this_project_does_not_know_is_upgraded_by_djangos_operations(scratch: Any) -> None:
    if hasattr(scratch.SchemaEditorClass, "_remake_table"):
        pytest.skip("Django's operations would copy the table, as the model has it at the end")
    old = migrate(scratch, HEAD_OF_0_1)
    second, first = add(scratch, old, 2), add(scratch, old, 1)
    new = migrate(scratch, CURRENT)
    waiting = new._base_manager.using(ALIAS).order_by("seq").values_list("pk", flat=True)
    assert list(waiting) == [first, second]
    assert INDEXES.keys() <= indexes(scratch).keys()
    add(scratch, old)
    migrate(scratch, HEAD_OF_0_1)
    assert not NEW_COLUMNS & columns(scratch)


@pytest.mark.parametrize("step", ["widen", "fill_seq", "add_indexes"])
def test_an_interrupted_upgrade_can_be_run_again(scratch: Any, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = migrate(scratch, HEAD_OF_0_1)
    key = add(scratch, old, 7)
    with monkeypatch.context() as patch:
        patch.setattr(schema.TABLES[scratch.vendor], step, interrupt)
        with pytest.raises(InterruptedError):
            migrate(scratch, CURRENT)
    new = migrate(scratch, CURRENT)
    assert new._base_manager.using(ALIAS).get(pk=key).seq > 0
    assert INDEXES.keys() <= indexes(scratch).keys()


@pytest.mark.parametrize("step", ["drop_indexes", "drop_columns"])
def test_an_interrupted_way_back_can_be_run_again(scratch: Any, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(scratch, CURRENT)
    with monkeypatch.context() as patch:
        patch.setattr(schema.TABLES[scratch.vendor], step, interrupt)
        with pytest.raises(InterruptedError):
            migrate(scratch, HEAD_OF_0_1)
    migrate(scratch, HEAD_OF_0_1)
    assert not NEW_COLUMNS & columns(scratch)
    assert own_tables(scratch) == {TABLE}


def interrupt(table: TaskTable, *args: Any) -> None:
    raise InterruptedError
