"""What the queue sends, how a database would run it, and a table large enough that it matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django_simple_queue.backends import Session
from django_simple_queue.backends.plans import Plan, plan_reader
from django_simple_queue.models import Task

TABLE = Task._meta.db_table


class Statement(NamedTuple):
    sql: str
    params: Mapping[str, Any]


class Table:
    """The task table of one database: how its statements would run, its statistics, rows in numbers.

    One subclass for each database: its ANALYZE, its way to make a new primary key.
    """

    new_id: str
    statistics = f"ANALYZE {TABLE}"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reader = plan_reader(session, TABLE)

    def explain(self, statement: Statement) -> Plan:
        plan = self.reader.explain(*statement)
        assert plan is not None
        return plan

    @contextmanager
    def statements(self) -> Iterator[list[Statement]]:
        """What is sent that reads or writes the task table; all of it is undone."""
        sent: list[Statement] = []

        def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
            if TABLE in sql:
                sent.append(Statement(sql, params))
            return execute(sql, params, *rest)

        class Undo(Exception):
            pass

        try:
            with self.session.transaction(), self.session.connection.execute_wrapper(note):
                yield sent
                raise Undo
        except Undo:
            pass

    def analyze(self) -> None:
        with self.session.connection.cursor() as cursor:
            cursor.execute(self.statistics)

    def multiply(self, tasks: list[Task], count: int) -> None:
        """`count` rows in all that are like `tasks`."""
        Task.objects.bulk_create(tasks)
        columns = ["created", "modified", "task", "args", "status", "queue", "run_after", "expires", "holder"]
        columns += ["attempt", "losses", "cancel_requested", "finished_at"]
        names = ", ".join((self.session.dialect.quote("rank"), *columns))
        most, have = tasks[-1].seq, len(tasks)
        like = {"task": tasks[0].task}
        while have < count:
            step = min(have, count - have)
            self.session.write(
                f"INSERT INTO {TABLE} (id, seq, {names})"
                f" SELECT {self.new_id}, seq + {most - tasks[0].seq + 1} * {have}, {names} FROM {TABLE}"
                f" WHERE task = %(task)s LIMIT {step}",
                like,
            )
            have += step


class SQLiteTable(Table):
    new_id = "lower(hex(randomblob(16)))"
    statistics = "ANALYZE"


class PostgreSQLTable(Table):
    new_id = "gen_random_uuid()"


class MySQLTable(Table):
    new_id = "UUID()"
    statistics = f"ANALYZE TABLE {TABLE}"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        if not session.connection.features.has_native_uuid_field:
            self.new_id = "REPLACE(UUID(), '-', '')"


TABLES: dict[str, type[Table]] = {"sqlite": SQLiteTable, "postgresql": PostgreSQLTable, "mysql": MySQLTable}
