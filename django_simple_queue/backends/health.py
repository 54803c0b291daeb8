"""What a database says of itself, and what of it is not good for a queue. Nothing here writes."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .dialects import dialect_for
from .task_table import INDEXES, SLOT_INDEX

UNSAFE, WARNING, INFO = "unsafe", "warning", "info"
EPOCH = datetime.datetime(1970, 1, 1)


class Finding(NamedTuple):
    """Something to know: `level` is unsafe (a promise cannot be kept), warning or info."""

    level: str
    what: str
    fix: str


class Health:
    """A database that this project does not know: only what Django can say."""

    index_needed = WARNING  # without its index a claim is slow

    def __init__(self, connection: Any, table: str) -> None:
        self.connection, self.table = connection, table

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    @property
    def vendor(self) -> str:
        return str(self.connection.vendor)

    def version(self) -> str:
        return ".".join(map(str, self.connection.get_database_version()))

    def driver(self) -> str:
        module = self.connection.Database
        version = getattr(module, "__version__", "")
        return f"{module.__name__.partition('.')[0]} {version}".strip()

    def isolation(self) -> str:
        """That of the project's own connections; the queue asks for its own."""
        return "unknown"

    def findings(self) -> Iterator[Finding]:
        yield from ()

    def columns(self, table: str) -> set[str]:
        """Its columns; none if the table is not there."""
        introspection = self.connection.introspection
        with self.connection.cursor() as cursor:
            if table not in introspection.table_names(cursor):
                return set()
            return {column.name for column in introspection.get_table_description(cursor, table)}

    def missing_indexes(self) -> Iterator[Finding]:
        with self.connection.cursor() as cursor:
            there = self.connection.introspection.get_constraints(cursor, self.table)
        for name in INDEXES.keys() - there.keys():
            what = (
                "two tasks can have the same unique_key"
                if name == SLOT_INDEX
                else "claims and upkeep read more rows the longer the table is, or fail"
            )
            yield Finding(
                UNSAFE if name == SLOT_INDEX else self.index_needed,
                f"The index {name} of {self.table} is missing: {what}.",
                "`manage.py sqlmigrate django_simple_queue 0003` shows how to create it.",
            )

    def clock_ahead(self) -> float:
        """Seconds by which the database's clock is ahead of this process's, as well as one query can tell."""
        dialect = dialect_for(self.connection)
        sent = time.time()
        ((value,),) = self.rows(f"SELECT {dialect.now()}")
        here = (sent + time.time()) / 2
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        if value.tzinfo is not None:
            return float(value.timestamp() - here)
        return float((value - EPOCH).total_seconds() - dialect._offset_from_utc() - here)


class PostgreSQLHealth(Health):
    def isolation(self) -> str:
        return str(self.rows("SHOW transaction_isolation")[0][0])

    def findings(self) -> Iterator[Finding]:
        names = "('fsync', 'synchronous_commit', 'transaction_read_only')"
        values = dict(self.rows(f"SELECT name, setting FROM pg_settings WHERE name IN {names}"))
        unlogged = self.rows(
            "SELECT relname FROM pg_class WHERE oid = to_regclass(%s) AND relpersistence = 'u'", self.table
        )
        values["unlogged"] = bool(unlogged)
        values["pooled"] = is_pooled(self.connection)
        yield from judge_postgresql(values)
        for (name,) in self.rows(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = to_regclass(%s) AND NOT indisvalid",
            self.table,
        ):
            yield Finding(
                WARNING,
                f"The index {name} is invalid: it is kept up to date and never used.",
                f"REINDEX INDEX CONCURRENTLY {name}",
            )


def is_pooled(connection: Any) -> bool:
    """Whether something like PgBouncer answers for PostgreSQL: it makes process ids of its own up."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchone()[0] != connection.connection.info.backend_pid)


def judge_postgresql(values: Mapping[str, Any]) -> Iterator[Finding]:
    """What follows from PostgreSQL's settings, and from whether the table is unlogged and the connection pooled."""
    if values.get("transaction_read_only") == "on":
        yield Finding(
            UNSAFE,
            "The database is read-only, as a standby is: nothing can be enqueued or claimed.",
            "Point the alias at the primary.",
        )
    if values.get("unlogged"):
        yield Finding(
            UNSAFE, "The task table is UNLOGGED: a crash of the server empties it.", "ALTER TABLE ... SET LOGGED"
        )
    if values.get("fsync") == "off":
        yield Finding(UNSAFE, "fsync is off: a crash of the machine can lose or damage tasks.", "Set fsync = on.")
    if values.get("synchronous_commit") == "off":
        yield Finding(
            WARNING,
            "synchronous_commit is off: a crash can lose the tasks of the last moments, and run others again.",
            "Set synchronous_commit = on, at least for the role that enqueues.",
        )
    if values.get("pooled"):
        yield Finding(
            INFO,
            "A pooler such as PgBouncer is in between: through it workers get no notifications and look for work.",
            "Give task_worker an alias that goes to the server directly, and set DISABLE_SERVER_SIDE_CURSORS.",
        )


class SQLiteHealth(Health):
    def isolation(self) -> str:
        return "serializable"

    def findings(self) -> Iterator[Finding]:
        yield from judge_sqlite(
            {
                "memory": self.connection.is_in_memory_db(),
                "journal_mode": self.rows("PRAGMA journal_mode")[0][0],
                "synchronous": self.rows("PRAGMA synchronous")[0][0],
                "transaction_mode": getattr(self.connection, "transaction_mode", None),
            }
        )


def judge_sqlite(values: Mapping[str, Any]) -> Iterator[Finding]:
    """What follows from SQLite's pragmas and Django's options for it."""
    if values["memory"]:
        yield Finding(
            UNSAFE,
            "The database is in memory: a worker, which is another process, cannot see it.",
            "Give the alias a file as its NAME.",
        )
        return
    if (mode := values["journal_mode"]) in ("off", "memory"):
        yield Finding(
            UNSAFE,
            f"The journal mode is {mode}: a crash while something is written can destroy the database.",
            "PRAGMA journal_mode = WAL, once.",
        )
    elif mode != "wal":
        yield Finding(
            WARNING,
            f"The journal mode is {mode}: while one process writes, no other can read.",
            "PRAGMA journal_mode = WAL, once: the file keeps it. Not on a network file system.",
        )
    if values["synchronous"] == 0:
        yield Finding(
            UNSAFE,
            "PRAGMA synchronous is OFF: a crash of the machine can lose or damage tasks.",
            "Take it out of the alias's init_command.",
        )
    if (values["transaction_mode"] or "DEFERRED").upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield Finding(
            WARNING,
            "The project's transactions begin DEFERRED: one that reads and then writes fails with 'database is locked',"
            " without waiting, when a worker has written in between.",
            'OPTIONS = {"transaction_mode": "IMMEDIATE"} in this alias.',
        )


class MySQLHealth(Health):
    index_needed = UNSAFE  # claims name it, and fail without

    def driver(self) -> str:
        return super().driver().replace("MySQLdb", "mysqlclient")  # as it is installed

    @property
    def vendor(self) -> str:
        return "mariadb" if self.connection.mysql_is_mariadb else "mysql"

    def variables(self) -> dict[str, str]:
        names = (
            *("log_bin", "binlog_format", "read_only", "super_read_only", "innodb_flush_log_at_trx_commit"),
            *("sync_binlog", "wsrep_on", "transaction_isolation", "tx_isolation"),
        )
        return {name.lower(): value for name, value in self.rows("SHOW VARIABLES WHERE Variable_name IN %s", names)}

    def isolation(self) -> str:
        values = self.variables()
        name = values.get("transaction_isolation") or values.get("tx_isolation") or "unknown"
        return name.lower().replace("-", " ")

    def findings(self) -> Iterator[Finding]:
        yield from judge_mysql(self.variables())
        schema = "FROM information_schema.{} WHERE table_schema = DATABASE() AND table_name = %s"
        for engine, collation in self.rows(f"SELECT engine, table_collation {schema.format('tables')}", self.table):
            yield from judge_mysql_table(self.table, engine, collation or "")
        if self.connection.features.has_native_uuid_field:
            sql = f"SELECT data_type {schema.format('columns')} AND column_name = 'id'"
            for (kind,) in self.rows(sql, self.table):
                if kind.lower() != "uuid":
                    yield Finding(
                        UNSAFE,
                        f"{self.table}.id is {kind}, as Django 4.2 and earlier made it; this Django takes it for uuid"
                        " and finds no task by its id.",
                        "`manage.py migrate django_simple_queue` converts it.",
                    )


def judge_mysql(values: Mapping[str, str]) -> Iterator[Finding]:
    """What follows from the server's variables."""
    if values.get("log_bin") == "ON" and values.get("binlog_format") == "STATEMENT":
        yield Finding(
            UNSAFE,
            "binlog_format is STATEMENT: the server refuses claims, which are READ COMMITTED (error 1665).",
            "Set binlog_format to ROW or MIXED.",
        )
    if "ON" in (values.get("read_only"), values.get("super_read_only")):
        yield Finding(
            UNSAFE,
            "The server is read-only, as a replica is: without special rights nothing can be enqueued or claimed.",
            "Point the alias at the primary.",
        )
    if values.get("innodb_flush_log_at_trx_commit", "1") != "1":
        yield Finding(
            WARNING,
            f"innodb_flush_log_at_trx_commit is {values['innodb_flush_log_at_trx_commit']}: a crash can lose the last"
            " second's tasks, and run others again.",
            "Set innodb_flush_log_at_trx_commit = 1.",
        )
    if values.get("wsrep_on") == "ON":
        yield Finding(
            WARNING,
            "This is a Galera cluster: locks are not seen by other nodes, and a conflict shows at commit only.",
            'Let all workers use one node, or set CLAIM_STRATEGY to "compare_and_swap".',
        )


def judge_mysql_table(table: str, engine: str, collation: str) -> Iterator[Finding]:
    """What follows from how the table was made."""
    if engine.lower() != "innodb":
        yield Finding(
            UNSAFE,
            f"{table} has the engine {engine}, without transactions or row locks: two workers can run one task.",
            f"ALTER TABLE {table} ENGINE = InnoDB",
        )
    if not collation.startswith(("utf8mb4", "uca1400")):
        yield Finding(
            WARNING,
            f"{table} has the collation {collation}, which cannot store every character: a task whose output has an"
            " emoji cannot be finished.",
            f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4",
        )


HEALTHS: dict[str, type[Health]] = {"postgresql": PostgreSQLHealth, "sqlite": SQLiteHealth, "mysql": MySQLHealth}


def health_of(connection: Any, table: str) -> Health:
    return HEALTHS.get(connection.vendor, Health)(connection, table)
