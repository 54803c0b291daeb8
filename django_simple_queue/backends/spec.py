"""What a claim is: which rows may be taken, in which order, and what taking one writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .session import Session

Row = tuple[Any, ...]


def either(conditions: Sequence[str]) -> str:
    """All of them with OR, as a tree: SQLite takes none that is deeper than 1000."""
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    return f"({either(conditions[:middle])} OR {either(conditions[middle:])})"


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
    changes nothing. `where` only chooses candidates.
    """

    table: str
    key: str | tuple[str, ...]  # several columns for a composite primary key
    columns: tuple[str, ...]
    guard: str  # reads columns of `table` alone
    write: str
    where: str = "1 = 1"
    order: str = ""
    index: str | None = None  # the index that serves guard, where and order together
    source: str | None = None  # FROM ... WHERE ... ORDER BY ... of the candidates, where they need more than `table`
    of: str = ""  # what to lock of a source that joins
    sort: Callable[[Row], Any] | None = None  # gives the order back where RETURNING loses it
    ordered: bool = False  # the order cannot be told from the columns: the database has to say it
    solo: str | None = None  # rows for which this is true are claimed alone; never NULL
    reread: str | None = None  # FROM ...: where `columns` are read once written, as they are not what they were
    elsewhere: bool = False  # `columns` lie in other tables too, so that RETURNING cannot give them
    fades: bool = False  # rows may leave the guard by themselves between look and write, as one that reads the clock
    prove: bool = False  # look whether the write made the guard false, since nothing else says so
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def bind(self, **params: Any) -> ClaimSpec:
        return dataclasses.replace(self, params={**self.params, **params})

    def but(self, excluded: str) -> ClaimSpec:
        """The same without the rows for which `excluded` is true."""
        return dataclasses.replace(self, guard=f"{self.guard} AND NOT ({excluded})")

    # -- keys ----------------------------------------------------------------------------------------------------

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,) if isinstance(self.key, str) else self.key

    def keys_of(self, rows: Sequence[Row]) -> list[Any]:
        """The primary key of each row, a tuple where it has several columns."""
        if isinstance(self.key, str):
            return [row[0] for row in rows]
        return [row[: len(self.key)] for row in rows]

    def among(self, session: Session, keys: Sequence[Any], params: dict[str, Any]) -> str:
        """SQL for "the row is one of these"; their values are put into `params`."""
        if isinstance(self.key, str):
            return session.dialect.among(self.key, keys, params)
        rows = []
        for i, values in enumerate(keys):
            names = [f"id{i}_{j}" for j in range(len(values))]
            params.update(zip(names, values, strict=True))
            both = (f"{column} = %({name})s" for column, name in zip(self.key, names, strict=True))
            rows.append(f"({' AND '.join(both)})")
        return either(rows)

    # -- statements ----------------------------------------------------------------------------------------------

    def candidates(self, session: Session, rows: int, lock: str = "") -> str:
        """SELECT key, columns, solo of the first rows in claim order."""
        columns = () if self.reread else self.columns
        return f"SELECT {', '.join((*self.keys, *columns, self.solo or 'NULL'))} {self.tail(session, rows, lock)}"

    def tail(self, session: Session, rows: int, lock: str = "") -> str:
        """What follows the columns of a SELECT of the first rows in claim order."""
        dialect = session.dialect
        source = self.source or (
            f"FROM {self.table} {dialect.index_hint(self.index)} WHERE {self.guard} AND {self.where}"
            f" ORDER BY {self.order}"
        )
        return f"{source} {dialect.limit(rows)} {lock}"

    def update(self, session: Session, keys: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """The guarded write of rows by primary key, with its parameters."""
        params = dict(self.params)
        among = self.among(session, keys, params)
        return f"UPDATE {self.table} SET {self.write} WHERE {among} AND {only_where(self.guard)}", params

    def read(self, session: Session, keys: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """SELECT of what a claim returns, for rows that are claimed already."""
        params = dict(self.params)
        among = self.among(session, keys, params)
        source = self.reread or f"FROM {self.table}"
        return f"SELECT {', '.join((*self.keys, *self.columns))} {source} WHERE {among}", params

    def still_inside(self, session: Session, keys: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """SELECT of those of the rows that the guard would let be claimed again."""
        params = dict(self.params)
        among = self.among(session, keys, params)
        return f"SELECT {', '.join(self.keys)} FROM {self.table} WHERE {among} AND {only_where(self.guard)}", params

    def cut(self, rows: list[Row]) -> list[Row]:
        """The rows before the first solo one, or that one alone; without the solo flag."""
        first = next((i for i, row in enumerate(rows) if row[-1]), None)
        if first is not None:
            rows = rows[: first or 1]
        return [row[:-1] for row in rows]
