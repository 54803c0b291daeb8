"""Pieces of SQL that several transitions share. All values that are not constants of ours are parameters."""

from __future__ import annotations

from ..backends.base import only_where
from ..backends.dialects import Dialect
from ..models import Attempt, Task, Worker
from ..states import CANCELLED, COMPLETED, ENDS, FAILED, PROGRESS, QUEUED, SCHEDULED

TASK = Task._meta.db_table
WORKER = Worker._meta.db_table
ATTEMPT = Attempt._meta.db_table

ENDED = f"({COMPLETED}, {FAILED}, {CANCELLED})"
WAITING = f"({QUEUED}, {SCHEDULED})"
STILL_HELD = only_where("holder = %(holder)s")  # beside the primary key
assert ENDS == (COMPLETED, FAILED, CANCELLED)


def let_go(dialect: Dialect, target: str, *, ran: bool) -> str:
    """SET clause that takes the holder away; a row still PROGRESS gets the status `target` (SQL).

    A status that a person set meanwhile stays. If the row has then ended, finished_at is set and the slot freed; if it
    ran and is to run again because a person said so, finished_at marks that its next claim starts it anew.
    MySQL evaluates from left to right: what reads the old status stands before it is set.
    """
    final = f"CASE WHEN status = {PROGRESS} THEN {target} ELSE status END"
    over = f"{final} IN {ENDED}" + (f" OR status IN {WAITING}" if ran else "")
    return (
        f"holder = NULL, modified = {dialect.now()},"
        f" unique_slot = CASE WHEN {final} IN {ENDED} THEN NULL ELSE unique_slot END,"
        f" finished_at = CASE WHEN {over} THEN {dialect.now()} ELSE finished_at END,"
        f" status = {final}"
    )


def unless_cancelled(target: str) -> str:
    """The status `target`, or CANCELLED for a task that was asked to cancel."""
    return f"CASE WHEN cancel_requested THEN {CANCELLED} ELSE {target} END"


def keep_attempt(dialect: Dialect) -> str:
    """INSERT the history of one run that ended badly, read from its task's row. Parameters: id, kind, error."""
    return (
        f"INSERT INTO {ATTEMPT} (task_id, number, worker, started_at, ended_at, kind, error)"
        f" SELECT id, attempt + losses, COALESCE(worker, ''), started_at, {dialect.now()}, %(kind)s, %(error)s"
        f" FROM {TASK} WHERE id = %(id)s"
    )
