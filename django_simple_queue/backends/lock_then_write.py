"""What the strategies with locks share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from ..exceptions import StrategyError
from .base import ClaimStrategy, Fit, Short
from .compare_and_swap import CompareAndSwap
from .session import Session
from .spec import ClaimSpec, Row


class LockThenWrite(ClaimStrategy):
    """Lock the candidates, then write them by primary key, in one transaction."""

    lock: ClassVar[str] = ""  # what to lock for, then "{}", which stands for OF where a join is locked
    flag: ClassVar[str]  # the feature of a database that has this lock,
    fits: ClassVar[str]  # what is said of one that has it,
    lacks: ClassVar[str]  # and of one that has not

    def __init__(self, session: Session, why: str = "") -> None:
        super().__init__(session, why)
        self.without_locks = CompareAndSwap(session)  # one for all claims: it remembers whether it met rivals

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        if not getattr(connection.features, cls.flag):
            return Fit(False, cls.lacks)
        if not connection.features.supports_select_for_update_with_limit:
            return Fit(False, "this database cannot combine a limit with FOR UPDATE")
        return Fit(True, cls.fits)

    def _around(self, spec: ClaimSpec) -> AbstractContextManager[None]:
        return self.session.undoable() if spec.prove or spec.fades else self.session.transaction()

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return self._lock_and(self._write_at_once, spec, limit)

    def _take_by_halves(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return self._lock_and(self._swap, spec, limit)

    def _lock_and(self, write: Callable[[ClaimSpec, list[Row]], list[Row]], spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        if spec.of and self.lock and not session.connection.features.has_select_for_update_of:
            # It would lock the joined rows as well.
            return self.without_locks._take(spec, limit)
        lock = self.lock.format(f" OF {spec.of}" if spec.of else "")
        if session.connection.features.has_select_for_no_key_update:
            lock = lock.replace("FOR UPDATE", "FOR NO KEY UPDATE")  # others may add rows that refer to these
        rows = write(spec, spec.cut(session.rows(spec.candidates(session, limit, lock), spec.params)))
        return self._as_taken(spec, spec.keys_of(rows)) if spec.reread else rows

    def _write_at_once(self, spec: ClaimSpec, rows: list[Row]) -> list[Row]:
        """All of `rows`, or an error, after which what was written must not be committed."""
        written = self.session.write(*spec.update(self.session, spec.keys_of(rows))) if rows else 0
        if written == len(rows):
            return rows
        if spec.prove or spec.fades:
            raise Short
        if self.session.connection.in_atomic_block:
            self.session.connection.set_rollback(True)  # whoever goes on after the error may not commit it either
        raise StrategyError(
            f"{self.name} locked {len(rows)} rows of {spec.table} and then wrote {written}: the lock does not hold, or"
            f" a trigger, a row-level policy or what the filter asks the database changes under it. The strategy"
            f" compare_and_swap takes rows without a lock."
        )
