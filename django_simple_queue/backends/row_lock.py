"""Plain row locks: rivals wait for our commit, so claims are short and batched."""

from __future__ import annotations

from .lock_then_write import LockThenWrite


class RowLock(LockThenWrite):
    """SELECT ... FOR UPDATE, for databases without SKIP LOCKED such as MariaDB 10.5."""

    name = "row_lock"
    lock = "FOR UPDATE{}"
    flag = "has_select_for_update"
    fits = "row locks without SKIP LOCKED: claims wait for each other, so they are short and batched"
    lacks = "this database has no SELECT ... FOR UPDATE"
