"""What the strategies with locks share."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import ClaimStrategy, Fit, Short
from .compare_and_swap import CompareAndSwap
from .spec import ClaimSpec, Row


class LockThenWrite(ClaimStrategy):
    """Lock the candidates, then write them by primary key, in one transaction."""

    lock: ClassVar[str] = ""  # what to lock for, then "{}", which stands for OF where a join is locked

    @staticmethod
    def fit_lock(connection: Any, flag: str, without: str, why: str) -> Fit:
        """`why`, unless a feature flag is missing, or a limit with any lock is."""
        if not getattr(connection.features, flag):
            return Fit(False, without)
        if not connection.features.supports_select_for_update_with_limit:
            return Fit(False, "this database cannot combine a limit with FOR UPDATE")
        return Fit(True, why)

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        if spec.of and self.lock and not session.connection.features.has_select_for_update_of:
            # It would lock the joined rows as well.
            return CompareAndSwap(session)._take(spec, limit)
        with session.transaction():
            lock = self.lock.format(f" OF {spec.of}" if spec.of else "")
            if session.connection.features.has_select_for_no_key_update:
                lock = lock.replace("FOR UPDATE", "FOR NO KEY UPDATE")  # others may add rows that refer to these
            rows = spec.cut(session.rows(spec.candidates(session, limit, lock), spec.params))
            if not rows:
                return []
            keys = spec.keys_of(rows)
            changed = session.write(*spec.update(session, keys))
            if changed == len(rows):
                return self._as_taken(spec, keys) if spec.reread else rows
            if spec.prove:
                raise Short
            raise AssertionError(
                f"{self.name} locked {len(rows)} rows of {spec.table} and then wrote {changed}: the lock does not hold."
            )
