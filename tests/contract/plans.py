"""How a database says by which way it would run a statement; and a table large enough that it matters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django_simple_queue.backends import Session
from django_simple_queue.models import Task

TABLE = Task._meta.db_table
PRIMARY = "the primary key"


class Statement(NamedTuple):
    sql: str
    params: Mapping[str, Any]


class Access(NamedTuple):
    """How a plan reads the task table: by which index, None for none; `whole`: from its one end to the other."""

    index: str | None
    whole: bool


class Plan(NamedTuple):
    accesses: list[Access]
    sorts: bool
    text: str


class PlanReader:
    """One subclass for each database: its EXPLAIN, its ANALYZE, its way to make a new primary key."""

    new_id: str
    statistics = f"ANALYZE {TABLE}"

    def __init__(self, session: Session) -> None:
        self.session = session

    def explain(self, statement: Statement) -> Plan:
        raise NotImplementedError

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


class SQLiteReader(PlanReader):
    new_id = "lower(hex(randomblob(16)))"
    statistics = "ANALYZE"

    def explain(self, statement: Statement) -> Plan:
        lines = [row[-1] for row in self.session.rows(f"EXPLAIN QUERY PLAN {statement.sql}", statement.params)]
        accesses = [self._access(line) for line in lines if TABLE in line]
        return Plan(accesses, any("TEMP B-TREE" in line for line in lines), "\n".join(lines))

    def _access(self, line: str) -> Access:
        index = line.partition("INDEX ")[2].split(" ")[0] or None
        if index and index.startswith("sqlite_autoindex"):
            index = PRIMARY
        # A partial index holds only what the statement is about: it may be read from end to end.
        return Access(index, line.startswith("SCAN") and not (index or "").startswith("dsq_"))


class PostgreSQLReader(PlanReader):
    new_id = "gen_random_uuid()"

    def explain(self, statement: Statement) -> Plan:
        ((found,),) = self.session.rows(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.params)
        root = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        nodes = list(self._nodes(root))
        accesses = [Access(None, True) for node in nodes if node["Node Type"] == "Seq Scan" and self._ours(node)]
        indexes = [node["Index Name"] for node in nodes if "Index Name" in node]
        indexes = [name for name in indexes if name.startswith(("dsq_", TABLE))]
        accesses += [Access(PRIMARY if name == f"{TABLE}_pkey" else name, False) for name in indexes]
        return Plan(accesses, any("Sort" in node["Node Type"] for node in nodes), json.dumps(root, indent=1))

    def _nodes(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for below in node.get("Plans", ()):
            yield from self._nodes(below)

    def _ours(self, node: dict[str, Any]) -> bool:
        return bool(node.get("Relation Name") == TABLE)


class MySQLReader(PlanReader):
    new_id = "UUID()"
    statistics = f"ANALYZE TABLE {TABLE}"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        if not session.connection.features.has_native_uuid_field:
            self.new_id = "REPLACE(UUID(), '-', '')"

    def explain(self, statement: Statement) -> Plan:
        with self.session.connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement.sql}", statement.params)
            names = [column[0].lower() for column in cursor.description]
            lines = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        accesses = [
            Access(PRIMARY if line["key"] == "PRIMARY" else line["key"], line["type"].lower() in ("all", "index"))
            for line in lines
            if line["table"] == TABLE
        ]
        sorts = any(word in (line["extra"] or "") for line in lines for word in ("filesort", "temporary"))
        return Plan(accesses, sorts, "\n".join(map(str, lines)))


READERS: dict[str, type[PlanReader]] = {
    "sqlite": SQLiteReader,
    "postgresql": PostgreSQLReader,
    "mysql": MySQLReader,
}
