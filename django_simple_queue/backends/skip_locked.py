"""SKIP LOCKED: rivals take other rows instead of waiting."""

from __future__ import annotations

from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Any

from .base import ClaimStrategy, Fit
from .lock_then_write import LockThenWrite
from .spec import ClaimSpec, Row


class SkipLocked(LockThenWrite):
    """Two statements in one transaction: MySQL 8+, MariaDB 10.6+ and whoever else has SKIP LOCKED."""

    name = "skip_locked"
    lock = "FOR UPDATE{} SKIP LOCKED"
    flag = "has_select_for_update_skip_locked"
    fits = "SKIP LOCKED: workers take different rows without waiting for each other"
    lacks = "this database has no SKIP LOCKED"


class SkipLockedReturning(SkipLocked):
    """The same in one statement, by PostgreSQL's UPDATE ... RETURNING."""

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        if connection.vendor != "postgresql":
            return Fit(False, "one-statement claims are PostgreSQL's")
        return Fit(True, "SKIP LOCKED in one statement: workers take different rows without waiting for each other")

    def _around(self, spec: ClaimSpec) -> AbstractContextManager[None]:
        return ClaimStrategy._around(self, spec) if self.in_one(spec) else super()._around(spec)

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        if not self.in_one(spec):
            return super()._take(spec, limit)
        rows = self.session.rows(self.statement(spec, limit), spec.params)
        if spec.sort is not None:
            rows.sort(key=spec.sort)
        elif spec.ordered:
            rows = [row[:-1] for row in sorted(rows, key=itemgetter(-1))]
        return rows

    def in_one(self, spec: ClaimSpec) -> bool:
        return isinstance(spec.key, str) and not spec.elsewhere

    def statement(self, spec: ClaimSpec, limit: int) -> str:
        """Candidates in a sub-select that is fenced (a join has updated more than LIMIT rows) and drives the write by
        primary key. `(guard) IS TRUE`: a bare guard lets stale statistics choose the claim index and scan the backlog.
        """
        columns = ", ".join((*spec.keys, *spec.columns))
        chosen = f"ARRAY({self.chosen(spec, limit)})"
        before = ""
        if spec.ordered:
            before = f"WITH picked AS MATERIALIZED (SELECT {chosen} AS dsq_keys)"
            chosen = "(SELECT dsq_keys FROM picked)"
            columns += f", array_position({chosen}, {spec.key})"
            chosen = f"COALESCE({chosen})"  # as an array: ANY of a SELECT would compare with its rows
        return (
            f"{before} UPDATE {spec.table} SET {spec.write} WHERE {spec.key} = ANY({chosen})"
            f" AND ({spec.guard}) IS TRUE RETURNING {columns}"
        )

    def chosen(self, spec: ClaimSpec, limit: int) -> str:
        of = f" OF {spec.of}" if spec.of else ""
        rest = spec.tail(self.session, limit, f"FOR NO KEY UPDATE{of} SKIP LOCKED")
        if spec.solo is None:
            return f"SELECT {spec.key} {rest}"
        # The rows before the first solo one, or that one alone: counted above the lock, which allows no window.
        return (
            f"WITH locked AS MATERIALIZED (SELECT dsq_key, dsq_solo, row_number() OVER () AS dsq_place"
            f" FROM (SELECT {spec.key} AS dsq_key, {spec.solo} AS dsq_solo {rest}) AS dsq_rows)"
            f" SELECT dsq_key FROM locked WHERE dsq_place <="
            f" GREATEST(1, COALESCE((SELECT min(dsq_place) - 1 FROM locked WHERE dsq_solo), {limit}))"
        )
