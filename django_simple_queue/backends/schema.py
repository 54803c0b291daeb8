"""The operation of migration 0003.

A later change of the task table belongs beside it: one of Django's table copies on SQLite would lose the indexes.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.migrations import SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader

from .task_table import MySQLTable, PostgreSQLTable, SQLiteTable, TaskTable

TABLES: dict[str, type[TaskTable]] = {"postgresql": PostgreSQLTable, "sqlite": SQLiteTable, "mysql": MySQLTable}


class UpgradeSchema(SeparateDatabaseAndState):
    """Changes the state by the operations given, and the database by TaskTable and by making the tables MODELS.

    All in one operation, so that it can go on where it was interrupted, in both directions.
    """

    MODELS = ("Attempt", "Worker")

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if table := self._task_table(app_label, schema_editor, from_state, to_state):
            table.upgrade()
        there = self._tables(schema_editor)
        for model in self._models(app_label, schema_editor, to_state):
            if there is None or model._meta.db_table not in there:
                schema_editor.create_model(model)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if table := self._task_table(app_label, schema_editor, to_state, from_state):
            table.downgrade()
        there = self._tables(schema_editor)
        for model in self._models(app_label, schema_editor, from_state):
            if there is None or model._meta.db_table in there:
                schema_editor.delete_model(model)

    def _task_table(self, app_label: str, editor: Any, before: Any, after: Any) -> TaskTable | None:
        old, new = before.apps.get_model(app_label, "Task"), after.apps.get_model(app_label, "Task")
        if not self.allow_migrate_model(editor.connection.alias, new):
            return None
        return TABLES.get(editor.connection.vendor, TaskTable)(editor, old, new)

    def _models(self, app_label: str, editor: Any, state: Any) -> list[Any]:
        models = [state.apps.get_model(app_label, name) for name in self.MODELS]
        return [model for model in models if self.allow_migrate_model(editor.connection.alias, model)]

    @staticmethod
    def _tables(editor: Any) -> set[str] | None:
        """The tables that are there; None where a migration cannot have stopped half-way."""
        if editor.connection.features.can_rollback_ddl or editor.collect_sql:
            return None
        return set(editor.connection.introspection.table_names())

    def describe(self) -> str:
        return "Add what claims, retries and schedules need"


def index_without_migrations(using: str, **kwargs: Any) -> None:
    """Receiver of post_migrate: a table that tests made without migrations gets its indexes.

    Without them a unique key is not unique, and MySQL refuses to claim by an index that is not there.
    """
    task = apps.get_model("django_simple_queue", "Task")
    if MigrationLoader.migrations_module(task._meta.app_label)[0] is not None:
        return
    connection = connections[using]
    if not router.allow_migrate_model(using, task) or task._meta.db_table not in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        TABLES.get(connection.vendor, TaskTable)(editor, task, task).mend_indexes()
