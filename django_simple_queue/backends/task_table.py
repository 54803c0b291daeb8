"""The task table's DDL, for each database in the cheapest form that it has.

Django's own operations would copy the table once for each column on SQLite, and conditional indexes are warned about
on MySQL. Timings are in UPGRADING.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Index, Q, UniqueConstraint

from ..states import CANCELLED, COMPLETED, ENDS, FAILED, LOWEST_RANK, QUEUED, SCHEDULED
from .dialects import dialect_for

SLOT_INDEX = "dsq_slot"


class IndexOn(NamedTuple):
    """An index that holds only the rows its statement is about; where none can be partial, `full` is indexed."""

    columns: tuple[str, ...]
    where: str
    condition: Q  # the same for Django
    full: tuple[str, ...]


CLAIMABLE = f"status = {QUEUED} AND holder IS NULL", Q(status=QUEUED, holder__isnull=True)
# Always true, but it keeps the claim of one queue off the index without queues, which old statistics make look as good.
OF_ANY_QUEUE = f"{CLAIMABLE[0]} AND rank >= {LOWEST_RANK}", CLAIMABLE[1] & Q(rank__gte=LOWEST_RANK)
DUE = f"status = {SCHEDULED} AND holder IS NULL", Q(status=SCHEDULED, holder__isnull=True)
HELD = "holder IS NOT NULL", Q(holder__isnull=False)
EXPIRING = (
    f"expires IS NOT NULL AND status IN ({QUEUED}, {SCHEDULED})",
    Q(expires__isnull=False, status__in=(QUEUED, SCHEDULED)),
)
UNTIDY = (
    f"finished_at IS NULL AND status IN ({COMPLETED}, {FAILED}, {CANCELLED})",
    Q(finished_at__isnull=True, status__in=ENDS),
)
KEYED = "unique_slot IS NOT NULL", Q(unique_slot__isnull=False)

INDEXES = {
    "dsq_claim_queue": IndexOn(("queue", "rank", "seq"), *CLAIMABLE, ("status", "queue", "rank", "seq")),
    "dsq_claim_any": IndexOn(("rank", "seq"), *OF_ANY_QUEUE, ("status", "rank", "seq")),
    "dsq_due": IndexOn(("run_after",), *DUE, ("status", "run_after")),
    "dsq_held": IndexOn(("holder",), *HELD, ("holder",)),
    "dsq_expires": IndexOn(("expires",), *EXPIRING, ("status", "expires")),
    "dsq_untidy": IndexOn(("status",), *UNTIDY, ("status", "finished_at")),
    # Unique. Partial, so that it costs tasks without a key, which are most, nothing.
    SLOT_INDEX: IndexOn(("unique_slot",), *KEYED, ("unique_slot",)),
}


class TaskTable:
    """What 0003 does to the task table, by Django's own operations: right on any database.

    `old` and `new` are the model before and after. Where DDL is not rolled back, a step that an interrupted migration
    has already done is left out, so that `migrate` can be run again.
    """

    def __init__(self, editor: Any, old: Any, new: Any) -> None:
        self.editor, self.old, self.new = editor, old, new
        self.connection = editor.connection
        self.table = editor.quote_name(new._meta.db_table)
        known = {field.name for field in old._meta.local_fields}
        self.fields = [field for field in new._meta.local_fields if field.name not in known]

    def upgrade(self) -> None:
        found = self.found()
        if missing := [field for field in self.fields if field.column not in found]:
            self.add_columns(missing)
        self.widen()
        self.fill_seq()
        if names := [name for name in INDEXES if name not in found]:
            self.add_indexes(names)

    def downgrade(self) -> None:
        """`task` stays wide: narrowing takes long and fails on a longer name."""
        found = self.found(everything=True)
        self.execute(f"UPDATE {self.table} SET status = {QUEUED} WHERE status = {SCHEDULED}")
        if names := [name for name in INDEXES if name in found]:
            self.drop_indexes(names)
        if present := [field for field in self.fields if field.column in found]:
            self.drop_columns(present)

    def found(self, *, everything: bool = False) -> set[str]:
        """Columns and indexes that are there; all or none of ours where a migration cannot have stopped half-way."""
        if self.connection.features.can_rollback_ddl or self.editor.collect_sql:
            return {*INDEXES, *(field.column for field in self.fields)} if everything else set()
        return self.there()

    def there(self) -> set[str]:
        name, introspection = self.new._meta.db_table, self.connection.introspection
        with self.connection.cursor() as cursor:
            columns = {column.name for column in introspection.get_table_description(cursor, name)}
            return columns | set(introspection.get_constraints(cursor, name))

    def mend_indexes(self) -> None:
        """Add those that are missing."""
        there = self.there()
        if names := [name for name in INDEXES if name not in there]:
            self.add_indexes(names)

    def execute(self, sql: str) -> None:
        self.editor.execute(sql, None)

    def add_columns(self, fields: list[Any]) -> None:
        for field in fields:
            self.editor.add_field(self.new, field)

    def widen(self) -> None:
        self.editor.alter_field(self.new, self.old._meta.get_field("task"), self.new._meta.get_field("task"))

    def drop_columns(self, fields: list[Any]) -> None:
        for field in fields:
            self.editor.remove_field(self.new, field)

    def fill_seq(self) -> None:
        """Waiting tasks keep their order, that of `modified`; rows that 0.1.x adds later have 0 and go first."""
        if self.editor.collect_sql:
            return
        rows = self.new._base_manager.using(self.connection.alias)
        waiting = rows.filter(status=QUEUED).order_by("modified").values_list("pk", "modified")
        for key, modified in list(waiting):
            rows.filter(pk=key).update(seq=int(modified.timestamp() * 1_000_000))

    def add_indexes(self, names: Iterable[str]) -> None:
        for name in names:
            if name == SLOT_INDEX:
                self.editor.add_constraint(self.new, self.django_slot())
            else:
                self.editor.add_index(self.new, self.django_index(name))

    def drop_indexes(self, names: Iterable[str]) -> None:
        for name in names:
            if name == SLOT_INDEX:
                self.editor.remove_constraint(self.new, self.django_slot())
            else:
                self.editor.remove_index(self.new, self.django_index(name))

    @property
    def partial(self) -> bool:
        return bool(self.connection.features.supports_partial_indexes)

    def django_index(self, name: str) -> Index:
        index = INDEXES[name]
        if self.partial:
            return Index(fields=index.columns, name=name, condition=index.condition)
        return Index(fields=index.full, name=name)

    def django_slot(self) -> UniqueConstraint:
        condition = INDEXES[SLOT_INDEX].condition if self.partial else None
        return UniqueConstraint(fields=INDEXES[SLOT_INDEX].columns, name=SLOT_INDEX, condition=condition)


class SQLTable(TaskTable):
    """The same in the SQL of the databases that this project knows."""

    def definition(self, field: Any) -> str:
        sql, params = self.editor.column_sql(self.new, field)
        return f"{self.editor.quote_name(field.column)} {sql % tuple(map(self.editor.quote_value, params))}"

    def alter(self, *clauses: str) -> None:
        self.execute(f"ALTER TABLE {self.table} {', '.join(clauses)}")

    def add_columns(self, fields: list[Any]) -> None:
        self.alter(*(f"ADD COLUMN {self.definition(field)}" for field in fields))

    def drop_columns(self, fields: list[Any]) -> None:
        self.alter(*(f"DROP COLUMN {self.editor.quote_name(field.column)}" for field in fields))

    def fill_seq(self) -> None:
        self.execute(f"UPDATE {self.table} SET seq = {self.micros_of_modified()} WHERE status = {QUEUED}")

    def micros_of_modified(self) -> str:
        raise NotImplementedError

    def index(self, name: str) -> str:
        """(columns) [WHERE ...] of an index."""
        index = INDEXES[name]
        columns = ", ".join(map(self.editor.quote_name, index.columns if self.partial else index.full))
        return f"({columns}) WHERE {index.where}" if self.partial else f"({columns})"

    def add_indexes(self, names: Iterable[str]) -> None:
        for name in names:
            kind = "UNIQUE INDEX" if name == SLOT_INDEX else "INDEX"
            self.execute(f"CREATE {kind} {name} ON {self.table} {self.index(name)}")

    def drop_indexes(self, names: Iterable[str]) -> None:
        for name in names:
            self.execute(f"DROP INDEX {name}")

    def ahead_of_utc(self) -> int:
        """Microseconds by which stored times are ahead of UTC, where they are stored without a zone."""
        return int(dialect_for(self.connection)._offset_from_utc() * 1_000_000)


class PostgreSQLTable(SQLTable):
    def micros_of_modified(self) -> str:
        return "(EXTRACT(EPOCH FROM modified) * 1000000)::bigint"


class SQLiteTable(SQLTable):
    def add_columns(self, fields: list[Any]) -> None:
        for field in fields:
            self.alter(f"ADD COLUMN {self.definition(field)}")

    def widen(self) -> None:
        """SQLite keeps no lengths, and Django would copy the table."""

    def drop_columns(self, fields: list[Any]) -> None:
        for field in fields:
            self.alter(f"DROP COLUMN {self.editor.quote_name(field.column)}")

    def micros_of_modified(self) -> str:
        # Django leaves the fraction out when it is zero.
        return (
            "COALESCE(CAST(strftime('%s', modified) AS INTEGER) * 1000000"
            f" + CAST(substr(modified || '.000000', 21, 6) AS INTEGER) - {self.ahead_of_utc()}, 0)"
        )


class MySQLTable(SQLTable):
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
            self.alter("MODIFY id uuid NOT NULL")

    def micros_of_modified(self) -> str:
        return f"COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', modified) - {self.ahead_of_utc()}, 0)"

    def add_indexes(self, names: Iterable[str]) -> None:
        """One statement, so that the table is read once."""
        kinds = {SLOT_INDEX: "UNIQUE INDEX"}
        self.alter(*(f"ADD {kinds.get(name, 'INDEX')} {name} {self.index(name)}" for name in names))

    def drop_indexes(self, names: Iterable[str]) -> None:
        self.alter(*(f"DROP INDEX {name}" for name in names))
