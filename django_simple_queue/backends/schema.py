"""The task table's DDL, for each database in the cheapest form that it has.

Django's own operations would copy the whole table once for each column on SQLite, and partial indexes
would be warned about on MySQL. Called by migration 0003; timings in UPGRADING.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.migrations import SeparateDatabaseAndState

from ..states import CANCELLED, COMPLETED, FAILED, QUEUED, SCHEDULED

SLOT_INDEX = "dsq_slot"
# Where the database can, an index holds only the rows that its statement is about ...
PARTIAL = {
    "dsq_claim_queue": ("queue, rank, seq", f"status = {QUEUED} AND holder IS NULL"),
    "dsq_claim_any": ("rank, seq", f"status = {QUEUED} AND holder IS NULL"),
    "dsq_due": ("run_after", f"status = {SCHEDULED}"),
    "dsq_held": ("holder", "holder IS NOT NULL"),
    "dsq_expires": ("expires", f"expires IS NOT NULL AND status IN ({QUEUED}, {SCHEDULED})"),
    "dsq_untidy": ("status", f"finished_at IS NULL AND status IN ({COMPLETED}, {FAILED}, {CANCELLED})"),
}
# ... else it is led by the status.
FULL = {
    "dsq_claim_queue": "status, queue, rank, seq",
    "dsq_claim_any": "status, rank, seq",
    "dsq_due": "status, run_after",
    "dsq_held": "holder",
    "dsq_expires": "expires",
    "dsq_untidy": "status, finished_at",
}


class TaskTable:
    """What 0003 does to the table, in portable SQL. `old` and `new` are the model before and after."""

    def __init__(self, editor: Any, old: Any, new: Any) -> None:
        self.editor, self.old, self.new = editor, old, new
        self.connection = editor.connection
        self.table = editor.quote_name(new._meta.db_table)
        known = {field.name for field in old._meta.local_fields}
        self.added = [field for field in new._meta.local_fields if field.name not in known]

    def upgrade(self) -> None:
        self.add_columns()
        self.widen()
        self.fill_seq()
        self.add_indexes()

    def downgrade(self) -> None:
        """`task` stays wide: narrowing takes long and fails on a longer name."""
        self.execute(f"UPDATE {self.table} SET status = {QUEUED} WHERE status = {SCHEDULED}")
        self.drop_indexes()
        self.drop_columns()

    def execute(self, sql: str) -> None:
        self.editor.execute(sql, None)

    def quoted(self, columns: str) -> str:
        return ", ".join(self.editor.quote_name(c.strip()) for c in columns.split(","))

    def definition(self, field: Any) -> str:
        sql, params = self.editor.column_sql(self.new, field)
        return f"{self.editor.quote_name(field.column)} {sql % tuple(map(self.editor.quote_value, params))}"

    def add_columns(self) -> None:
        for field in self.added:
            self.execute(f"ALTER TABLE {self.table} ADD COLUMN {self.definition(field)}")

    def drop_columns(self) -> None:
        for field in self.added:
            self.execute(f"ALTER TABLE {self.table} DROP COLUMN {self.editor.quote_name(field.column)}")

    def widen(self) -> None:
        self.editor.alter_field(self.new, self.old._meta.get_field("task"), self.new._meta.get_field("task"))

    def fill_seq(self) -> None:
        """Waiting tasks keep their order; rows that 0.1.x adds later have 0 and go first."""
        micros = self.micros_of_modified()
        self.execute(f"UPDATE {self.table} SET seq = {micros} WHERE status = {QUEUED}")

    def micros_of_modified(self) -> str:
        return "0"

    def index_sql(self) -> Iterator[tuple[str, str]]:
        """(name, "(columns) [WHERE ...]") of each index."""
        partial = self.connection.features.supports_partial_indexes
        for name, columns in FULL.items():
            if partial:
                columns, where = PARTIAL[name]
                yield name, f"({self.quoted(columns)}) WHERE {where}"
            else:
                yield name, f"({self.quoted(columns)})"

    def add_indexes(self) -> None:
        for name, rest in self.index_sql():
            self.execute(f"CREATE INDEX {name} ON {self.table} {rest}")
        self.execute(f"CREATE UNIQUE INDEX {SLOT_INDEX} ON {self.table} (unique_slot)")

    def drop_indexes(self) -> None:
        for name in (*FULL, SLOT_INDEX):
            self.execute(f"DROP INDEX {name}")


class PostgreSQLTable(TaskTable):
    def add_columns(self) -> None:
        columns = ", ".join(f"ADD COLUMN {self.definition(field)}" for field in self.added)
        self.execute(f"ALTER TABLE {self.table} {columns}")

    def drop_columns(self) -> None:
        columns = ", ".join(f"DROP COLUMN {self.editor.quote_name(field.column)}" for field in self.added)
        self.execute(f"ALTER TABLE {self.table} {columns}")

    def micros_of_modified(self) -> str:
        return "(EXTRACT(EPOCH FROM modified) * 1000000)::bigint"


class SQLiteTable(TaskTable):
    def widen(self) -> None:
        """SQLite keeps no lengths, and Django would copy the table."""

    def micros_of_modified(self) -> str:
        # Django leaves the fraction out when it is zero.
        return (
            "CAST(strftime('%s', modified) AS INTEGER) * 1000000"
            " + CAST(substr(modified || '.000000', 21, 6) AS INTEGER)"
        )


class MySQLTable(TaskTable):
    def upgrade(self) -> None:
        self.repair_ids()
        super().upgrade()

    def repair_ids(self) -> None:
        """MariaDB >= 10.7: Django <= 4.2 made `id` a char(32), which Django >= 5 takes for the uuid type."""
        if not self.connection.features.has_native_uuid_field:
            return
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT data_type FROM information_schema.columns WHERE table_schema = DATABASE()"
                " AND table_name = %s AND column_name = 'id'",
                [self.new._meta.db_table],
            )
            row = cursor.fetchone()
        if row is not None and row[0].lower() != "uuid":
            self.execute(f"ALTER TABLE {self.table} MODIFY id uuid NOT NULL")

    def add_columns(self) -> None:
        columns = ", ".join(f"ADD COLUMN {self.definition(field)}" for field in self.added)
        self.execute(f"ALTER TABLE {self.table} {columns}")

    def drop_columns(self) -> None:
        columns = ", ".join(f"DROP COLUMN {self.editor.quote_name(field.column)}" for field in self.added)
        self.execute(f"ALTER TABLE {self.table} {columns}")

    def micros_of_modified(self) -> str:
        return "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', modified)"

    def add_indexes(self) -> None:
        """One statement, so that the table is read once."""
        indexes = ", ".join(f"ADD INDEX {name} {rest}" for name, rest in self.index_sql())
        self.execute(f"ALTER TABLE {self.table} {indexes}, ADD UNIQUE INDEX {SLOT_INDEX} (unique_slot)")

    def drop_indexes(self) -> None:
        indexes = ", ".join(f"DROP INDEX {name}" for name in (*FULL, SLOT_INDEX))
        self.execute(f"ALTER TABLE {self.table} {indexes}")


TABLES = {"postgresql": PostgreSQLTable, "sqlite": SQLiteTable, "mysql": MySQLTable}


class UpgradeTaskTable(SeparateDatabaseAndState):
    """Changes the state by the operations given and the database by TaskTable."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if table := self._table(app_label, schema_editor, from_state, to_state):
            table.upgrade()

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if table := self._table(app_label, schema_editor, to_state, from_state):
            table.downgrade()

    def _table(self, app_label: str, editor: Any, before: Any, after: Any) -> TaskTable | None:
        old, new = before.apps.get_model(app_label, "Task"), after.apps.get_model(app_label, "Task")
        if not self.allow_migrate_model(editor.connection.alias, new):
            return None
        return TABLES.get(editor.connection.vendor, TaskTable)(editor, old, new)

    def describe(self) -> str:
        return "Add what claims, retries and schedules need to the task table"
