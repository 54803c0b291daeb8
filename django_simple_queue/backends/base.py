"""What a strategy must do to be one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, ClassVar, NamedTuple, TypeVar

from ..exceptions import StillClaimable
from .session import Session
from .spec import ClaimSpec, Row, only_where

__all__ = ["ClaimSpec", "ClaimStrategy", "Fit", "Row", "Short", "only_where"]

T = TypeVar("T")


class Fit(NamedTuple):
    """Whether a strategy can run on a database, and why."""

    ok: bool
    why: str


class Short(Exception):
    """A try has come to less than it was to: a guarded write hit fewer rows than it named, or too long ago."""


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

        An empty list means "nothing that could be taken now". Raises the database's error if it stays busy, and
        StillClaimable if the spec's write has to be proved and leaves a row where it could be claimed again.
        """

        def work() -> list[T]:
            with self.session.impatient():
                return self._take_once(spec, limit, row)

        return self.session.attempt(work)

    @abstractmethod
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        """One try at `take`."""

    def _take_by_halves(self, spec: ClaimSpec, limit: int) -> list[Row]:
        """The same once rows were seen to leave the guard, or to enter it, by themselves."""
        return self._take(spec, limit)

    def _around(self, spec: ClaimSpec) -> AbstractContextManager[None]:
        """What one try and the making of its rows are done in."""
        return self.session.undoable() if spec.prove else nullcontext()

    def _take_once(self, spec: ClaimSpec, limit: int, row: Callable[[Row], T]) -> list[T]:
        for again, take in enumerate((self._take, self._take_by_halves)):
            with suppress(Short), self._around(spec):
                rows = take(spec, limit)
                if spec.prove and rows and self.session.rows(*spec.still_inside(self.session, spec.keys_of(rows))):
                    # Perhaps only since we were suspended for longer than what was written is to last.
                    raise StillClaimable if again or not spec.fades else Short
                return [row(found) for found in rows]
        return []

    def _swap(self, spec: ClaimSpec, rows: list[Row]) -> list[Row]:
        """Write those of `rows` whose guard still holds; a block that comes back short is halved."""
        if not rows or self.session.attempt(lambda: self._write_all(spec, rows)):
            return rows
        if len(rows) == 1:
            return []
        middle = len(rows) // 2
        return self._swap(spec, rows[:middle]) + self._swap(spec, rows[middle:])

    def _write_all(self, spec: ClaimSpec, rows: list[Row]) -> bool:
        """Write all of `rows`, or none."""
        try:
            with self.session.undoable():
                if self.session.write(*spec.update(self.session, spec.keys_of(rows))) != len(rows):
                    raise Short
        except Short:
            return False
        return True

    def _as_taken(self, spec: ClaimSpec, keys: list[Any]) -> list[Row]:
        """The rows as they are now that they are ours."""
        if not keys:
            return []
        sql, params = spec.read(self.session, keys)
        found = self.session.attempt(lambda: self.session.rows(sql, params))
        rows = dict(zip(spec.keys_of(found), found, strict=True))
        return [rows[key] for key in keys if key in rows]
