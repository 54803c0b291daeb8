"""One writer at a time: the write lock is taken before anything is read."""

from __future__ import annotations

from typing import Any

from .base import Fit
from .lock_then_write import LockThenWrite


class Exclusive(LockThenWrite):
    """BEGIN IMMEDIATE on SQLite, where a transaction that reads first and then writes fails at once under load."""

    name = "exclusive"

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        if connection.vendor != "sqlite":
            return Fit(False, "only SQLite locks the whole database for a writer")
        return Fit(True, "SQLite has one writer at a time: the write lock is taken first, and waited for with jitter")
