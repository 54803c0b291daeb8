"""By which way a database would find the rows of a claim, read from what it says itself. Nothing is run or written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import Error, transaction

from .base import ClaimStrategy
from .compare_and_swap import CompareAndSwap
from .session import Session
from .spec import ClaimSpec

PRIMARY = "the primary key"
ROWS = 100  # as many as a claim may take


class Access(NamedTuple):
    """How a plan reads the table: by which index, None for none; `whole`: from its one end towards the other."""

    by: str | None
    whole: bool


class Plan(NamedTuple):
    accesses: list[Access]  # of the one table that is asked about
    sorts: bool
    text: str

    @property
    def scans(self) -> bool:
        return any(access.whole for access in self.accesses)

    @property
    def serves(self) -> bool:
        return not self.sorts and not self.scans

    @property
    def by(self) -> str | None:
        return next((access.by for access in self.accesses), None)


class PlanReader:
    """What a database that this project does not know says of a plan: nothing that could be read."""

    locks_all = False  # whether a locking SELECT that sorts locks all that it sorts, not only what it returns
    booleans = True  # whether `NOT column` is served by an index of that column
    nulls = True  # whether it knows, of an index, that rows with `column IS NULL` come in the order of what follows

    def __init__(self, session: Session, table: str) -> None:
        self.session, self.table = session, table

    def explain(self, sql: str, params: Mapping[str, Any]) -> Plan | None:
        return None

    def at_best(self, spec: ClaimSpec, sql: str) -> Iterator[Plan]:
        """The plans that it might choose if the table were large."""
        yield from ()

    def could_seek(self, equal: Sequence[str], order: Sequence[str]) -> bool:
        """Whether an index would serve what is scanned now, as a scan is as good while the table is empty."""
        return False

    def _indexes(self) -> dict[str, list[str]]:
        """The columns of each; of those with expressions none."""
        with self.session.connection.cursor() as cursor:
            found = self.session.connection.introspection.get_constraints(cursor, self.table)
        return {
            name: [
                f"{'-' if order == 'DESC' else ''}{column}"
                for column, order in zip(about["columns"], about.get("orders") or about["columns"], strict=False)
            ]
            for name, about in found.items()
            if about["index"]
        }

    def _by_each(self, spec: ClaimSpec, sql: str, hint: str) -> Iterator[Plan]:
        for name in self._indexes().keys() - {"PRIMARY"}:
            by_it = hint.format(self.session.connection.ops.quote_name(name))
            try:
                with transaction.atomic(using=self.session.alias):
                    plan = self.explain(sql.replace(f"FROM {spec.table}", f"FROM {spec.table} {by_it}", 1), spec.params)
            except Error:  # it can be no way at all
                continue
            if plan is not None:
                yield plan


class SQLiteReader(PlanReader):
    booleans = False

    def explain(self, sql: str, params: Mapping[str, Any]) -> Plan:
        lines = [row[-1] for row in self.session.rows(f"EXPLAIN QUERY PLAN {sql}", params)]
        partial = {row[1] for row in self.session.rows(f"PRAGMA index_list({self._quoted()})") if row[4]}
        of_table = re.compile(rf"(SCAN|SEARCH) (TABLE )?{re.escape(self.table)}\b")
        accesses = [self._access(line, partial) for line in lines if of_table.match(line)]
        return Plan(accesses, any("TEMP B-TREE" in line for line in lines), "; ".join(lines))

    def at_best(self, spec: ClaimSpec, sql: str) -> Iterator[Plan]:
        # CROSS: in the order as written, as what is joined may be a table that is small now.
        yield from self._by_each(spec, sql.replace(" INNER JOIN ", " CROSS JOIN "), "INDEXED BY {}")

    def _quoted(self) -> str:
        return str(self.session.connection.ops.quote_name(self.table))

    @staticmethod
    def _access(line: str, partial: set[str]) -> Access:
        index = line.partition("INDEX ")[2].split(" (")[0] or None
        if "PRIMARY KEY" in line or (index or "").startswith("sqlite_autoindex"):
            index = PRIMARY
        # A partial index holds only what the statement is about: it may be read from end to end.
        return Access(index, line.startswith("SCAN") and index not in partial)


class PostgreSQLReader(PlanReader):
    nulls = False
    DEAR = ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin")  # what large tables make dear

    def explain(self, sql: str, params: Mapping[str, Any]) -> Plan:
        ((found,),) = self.session.rows(f"EXPLAIN (FORMAT JSON) {sql}", params)
        nodes = list(self._nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))
        kinds = self._kinds()
        return Plan(
            [access for node in nodes if (access := self._access(node, kinds))],
            any("Sort" in node["Node Type"] for node in nodes),
            " > ".join(map(self._shown, nodes)),
        )

    def at_best(self, spec: ClaimSpec, sql: str) -> Iterator[Plan]:
        with transaction.atomic(using=self.session.alias):
            for way in self.DEAR:
                self.session.write(f"SET LOCAL enable_{way} = off")
            plan = self.explain(sql, spec.params)
            transaction.set_rollback(True, using=self.session.alias)
        yield plan

    def could_seek(self, equal: Sequence[str], order: Sequence[str]) -> bool:
        """Whether one begins with columns in any order and goes on with others, with a minus for those that descend."""
        n, all_ = len(equal), len(equal) + len(order)
        indexes = self._indexes().values()
        return any(sorted(each[:n]) == sorted(equal) and each[n:all_] == list(order) for each in indexes)

    def _nodes(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for below in node.get("Plans", ()):
            yield from self._nodes(below)

    def _kinds(self) -> dict[str, tuple[bool, bool]]:
        """Of each index of the table: whether it is the primary key's, and whether it is partial."""
        found = self.session.rows(
            "SELECT c.relname, i.indisprimary, i.indpred IS NOT NULL FROM pg_index i JOIN pg_class c"
            " ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass(%(table)s)",
            {"table": self.session.connection.ops.quote_name(self.table)},
        )
        return {name: (primary, partial) for name, primary, partial in found}

    def _access(self, node: dict[str, Any], kinds: Mapping[str, tuple[bool, bool]]) -> Access | None:
        if "Index Name" not in node:
            reads = node["Node Type"] == "Seq Scan" and node.get("Relation Name") == self.table
            return Access(None, True) if reads else None
        name = node["Index Name"]
        if name not in kinds:
            return None
        primary, partial = kinds[name]
        return Access(PRIMARY if primary else name, "Index Cond" not in node and not partial)

    @staticmethod
    def _shown(node: dict[str, Any]) -> str:
        told = (("", "Node Type"), ("on ", "Relation Name"), ("by ", "Index Name"), ("where ", "Index Cond"))
        return " ".join(f"{word}{node[key]}" for word, key in told if key in node)


class MySQLReader(PlanReader):
    locks_all = True
    before = ""

    def explain(self, sql: str, params: Mapping[str, Any]) -> Plan:
        with self.session.connection.cursor() as cursor:
            cursor.execute(f"{self.before}EXPLAIN FORMAT=TRADITIONAL {sql}", params)
            names = [column[0].lower() for column in cursor.description]
            lines = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        accesses = [
            Access(PRIMARY if line["key"] == "PRIMARY" else line["key"], line["type"].lower() in ("all", "index"))
            for line in lines
            if line["table"] == self.table and line["type"]
        ]
        sorts = any(word in (line["extra"] or "") for line in lines for word in ("filesort", "temporary"))
        return Plan(accesses, sorts, "; ".join(map(self._shown, lines)))

    def at_best(self, spec: ClaimSpec, sql: str) -> Iterator[Plan]:
        # In the order as written, and no join by a buffer: what is joined may be a table that is small now.
        if self.session.connection.mysql_is_mariadb:
            self.before = "SET STATEMENT join_cache_level = 0 FOR "
        yield from self._by_each(spec, sql.replace("SELECT", "SELECT STRAIGHT_JOIN", 1), "FORCE INDEX ({})")

    @staticmethod
    def _shown(line: Mapping[str, Any]) -> str:
        by = f"{line['table']}: {line['type']} by {line['key']}" if line["table"] else "no table"
        return f"{by} ({line['extra']})" if line["extra"] else by


READERS: dict[str, type[PlanReader]] = {
    "sqlite": SQLiteReader,
    "postgresql": PostgreSQLReader,
    "mysql": MySQLReader,
}


def plan_reader(session: Session, table: str) -> PlanReader:
    return READERS.get(session.connection.vendor, PlanReader)(session, table)


class Lookup(NamedTuple):
    """How a strategy would find the rows of a claim."""

    strategy: type[ClaimStrategy]
    lock: str
    plan: Plan | None  # None where it cannot be told


def look_up(strategy: ClaimStrategy, spec: ClaimSpec, reader: PlanReader) -> Lookup:
    """The plan of the statement that finds the rows, with its lock.

    Where that sorts or scans: the best that is possible, since for a few rows no index is worth it.
    """
    kind, lock = type(strategy), getattr(strategy, "lock", "")
    if spec.of and lock and not strategy.session.connection.features.has_select_for_update_of:
        kind, lock = CompareAndSwap, ""  # to which it leaves what it cannot lock
    sql = spec.candidates(strategy.session, ROWS, lock.format(f" OF {spec.of}" if spec.of else ""))
    plan = reader.explain(sql, spec.params)
    if plan is not None and not plan.serves:
        plan = min([plan, *reader.at_best(spec, sql)], key=lambda one: (not one.serves, one.sorts and one.scans))
    return Lookup(kind, lock, plan)
