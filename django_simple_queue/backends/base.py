"""What a strategy must do to be one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

from ..exceptions import StillClaimable
from .session import Session
from .spec import ClaimSpec, Row, only_where

__all__ = ["ClaimSpec", "ClaimStrategy", "Fit", "Row", "Short", "only_where"]

T = TypeVar("T")
TRIES = 3


class Fit(NamedTuple):
    """Whether a strategy can run on a database, and why."""

    ok: bool
    why: str


class Short(Exception):
    """A guarded write hit fewer rows than it named."""


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

        def work() -> list[Row]:
            with self.session.impatient():
                return self._take_and_prove(spec, limit) if spec.prove else self._take(spec, limit)

        return [row(found) for found in self.session.attempt(work)]

    @abstractmethod
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        """One try at `take`."""

    def _take_and_prove(self, spec: ClaimSpec, limit: int) -> list[Row]:
        for _ in range(TRIES):  # a guard that reads the clock may have become false since the row was chosen
            try:
                with self.session.undoable():
                    rows = self._take(spec, limit)
                    if rows and self.session.rows(*spec.still_inside(self.session, spec.keys_of(rows))):
                        raise StillClaimable
                    return rows
            except Short:
                continue
        return []

    def _as_taken(self, spec: ClaimSpec, keys: list[Any]) -> list[Row]:
        """The rows as they are now that they are ours."""
        if not keys:
            return []
        sql, params = spec.read(self.session, keys)
        found = self.session.attempt(lambda: self.session.rows(sql, params))
        rows = dict(zip(spec.keys_of(found), found, strict=True))
        return [rows[key] for key in keys if key in rows]
