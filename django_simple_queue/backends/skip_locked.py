"""SKIP LOCKED: rivals take other rows instead of waiting."""

from __future__ import annotations

from typing import Any

from .base import ClaimSpec, Fit, LockThenWrite, Row


class SkipLocked(LockThenWrite):
    """Two statements in one transaction: MySQL 8+, MariaDB 10.6+ and whoever else has SKIP LOCKED."""

    name = "skip_locked"
    lock = "FOR UPDATE SKIP LOCKED"

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        return cls.fit_lock(
            connection,
            "has_select_for_update_skip_locked",
            "this database has no SKIP LOCKED",
            "SKIP LOCKED: workers take different rows without waiting for each other",
        )


class SkipLockedReturning(SkipLocked):
    """The same in one statement, by PostgreSQL's UPDATE ... RETURNING."""

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        if connection.vendor != "postgresql":
            return Fit(False, "one-statement claims are PostgreSQL's")
        return Fit(True, "SKIP LOCKED in one statement: workers take different rows without waiting for each other")

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        rows = self.session.rows(self.statement(spec, limit), spec.params)
        if spec.sort is not None:
            rows.sort(key=spec.sort)
        return rows

    def statement(self, spec: ClaimSpec, limit: int) -> str:
        """Candidates in a sub-select that is fenced (a join has updated more than LIMIT rows) and drives the write by
        primary key. `(guard) IS TRUE`: a bare guard lets stale statistics choose the claim index and scan the backlog.
        """
        columns = ", ".join((spec.key, *spec.columns))
        return (
            f"UPDATE {spec.table} SET {spec.write} WHERE {spec.key} = ANY(ARRAY({self.chosen(spec, limit)}))"
            f" AND ({spec.guard}) IS TRUE RETURNING {columns}"
        )

    def chosen(self, spec: ClaimSpec, limit: int) -> str:
        rest = (
            f"FROM {spec.table} WHERE {spec.guard} AND {spec.where} ORDER BY {spec.order}"
            f" {self.session.dialect.limit(limit)} FOR NO KEY UPDATE SKIP LOCKED"
        )
        if spec.solo is None:
            return f"SELECT {spec.key} {rest}"
        # The rows before the first solo one, or that one alone: counted above the lock, which allows no window.
        return (
            f"WITH locked AS MATERIALIZED (SELECT dsq_key, dsq_solo, row_number() OVER () AS dsq_place"
            f" FROM (SELECT {spec.key} AS dsq_key, {spec.solo} AS dsq_solo {rest}) AS dsq_rows)"
            f" SELECT dsq_key FROM locked WHERE dsq_place <="
            f" GREATEST(1, COALESCE((SELECT min(dsq_place) - 1 FROM locked WHERE dsq_solo), {limit}))"
        )
