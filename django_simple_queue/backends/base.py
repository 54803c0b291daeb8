"""What a claim is, and what a strategy must do to be one."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from .session import Session

T = TypeVar("T")
Row = tuple[Any, ...]


def only_where(condition: str) -> str:
    """The same condition, but no index is chosen for it: rows are found by their keys and then looked at.

    Otherwise old statistics let a write by primary key scan the claim index, or lock rows by another way than all
    other writes do.
    """
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END = 1"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClaimSpec:
    """Which rows may be claimed and what claiming writes; all of it SQL with %(name)s parameters.

    A row is claimed by a write whose WHERE repeats `guard` and whose `write` makes it false, so a second claimer
    changes nothing. `where` only chooses candidates. `columns` must read the same before and after the write.
    """

    table: str
    key: str
    columns: tuple[str, ...]
    guard: str
    where: str
    order: str
    write: str
    index: str | None = None  # the index that serves guard, where and order together
    sort: Callable[[Row], Any] | None = None  # gives the order back where RETURNING loses it
    solo: str | None = None  # rows for which this is true are claimed alone; never NULL
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def bind(self, **params: Any) -> ClaimSpec:
        return dataclasses.replace(self, params={**self.params, **params})

    def candidates(self, session: Session, rows: int, lock: str = "") -> str:
        """SELECT key, columns, solo of the first rows in claim order."""
        dialect = session.dialect
        return (
            f"SELECT {', '.join((self.key, *self.columns, self.solo or 'NULL'))} FROM {self.table}"
            f" {dialect.index_hint(self.index)} WHERE {self.guard} AND {self.where}"
            f" ORDER BY {self.order} {dialect.limit(rows)} {lock}"
        )

    def update(self, session: Session, ids: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """The guarded write of rows by primary key, with its parameters."""
        params = dict(self.params)
        among = session.dialect.among(self.key, ids, params)
        return f"UPDATE {self.table} SET {self.write} WHERE {among} AND {only_where(self.guard)}", params

    def reread(self, session: Session, ids: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """SELECT of what a claim returns, for rows that are claimed already."""
        params = dict(self.params)
        among = session.dialect.among(self.key, ids, params)
        return f"SELECT {', '.join((self.key, *self.columns))} FROM {self.table} WHERE {among}", params

    def but(self, excluded: str) -> ClaimSpec:
        """The same without the rows for which `excluded` is true."""
        return dataclasses.replace(self, guard=f"{self.guard} AND NOT ({excluded})")

    def cut(self, rows: list[Row]) -> list[Row]:
        """The rows before the first solo one, or that one alone; without the solo flag."""
        first = next((i for i, row in enumerate(rows) if row[-1]), None)
        if first is not None:
            rows = rows[: first or 1]
        return [row[:-1] for row in rows]


class Fit(NamedTuple):
    """Whether a strategy can run on a database, and why."""

    ok: bool
    why: str


class ClaimStrategy(ABC):
    """Hands rows to one claimer and to nobody else, in a short transaction of its own or in the caller's."""

    name: ClassVar[str]

    def __init__(self, session: Session, why: str = "") -> None:
        self.session = session
        self.why = why

    @classmethod
    @abstractmethod
    def fit(cls, connection: Any) -> Fit:
        """Whether `connection`'s database can run it, by Django's feature flags first."""

    def take(self, spec: ClaimSpec, limit: int, *, row: Callable[[Row], T] = tuple) -> list[T]:  # type: ignore[assignment]
        """Claim up to `limit` rows by `spec`, in its order; each as row((key, *columns)).

        An empty list means "nothing that could be taken now". Raises the database's error if it stays busy.
        """
        return [row(found) for found in self.session.attempt(lambda: self._take(spec, limit))]

    @abstractmethod
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        """One try at `take`."""


class LockThenWrite(ClaimStrategy):
    """Lock the candidates, then write them by primary key, in one transaction."""

    lock: ClassVar[str] = ""

    @staticmethod
    def fit_lock(connection: Any, flag: str, without: str, why: str) -> Fit:
        """`why`, unless a feature flag is missing, or a limit with any lock is."""
        if not getattr(connection.features, flag):
            return Fit(False, without)
        if not connection.features.supports_select_for_update_with_limit:
            return Fit(False, "this database cannot combine a limit with FOR UPDATE")
        return Fit(True, why)

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        with self.session.transaction():
            rows = spec.cut(self.session.rows(spec.candidates(self.session, limit, self.lock), spec.params))
            if not rows:
                return []
            changed = self.session.write(*spec.update(self.session, [row[0] for row in rows]))
            if changed == len(rows):
                return rows
            raise AssertionError(
                f"{self.name} locked {len(rows)} rows of {spec.table} and then wrote {changed}: the lock does not hold."
            )
