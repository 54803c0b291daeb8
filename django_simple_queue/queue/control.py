"""Cancel and retry: what a person asks of one task."""

from __future__ import annotations

import uuid

from django.db import IntegrityError

from ..backends.base import only_where
from ..backends.session import Session
from ..models import Task, next_seq
from ..records import as_uuid, numbers_of
from ..states import CANCELLED, PROGRESS, QUEUED, SCHEDULED
from .enqueue import slot_of, wake
from .sql import ENDED, TASK

CANCEL_TRIES = 10  # a caller's transaction may go on seeing what is no longer so
UNFINISHED = f"({QUEUED}, {PROGRESS}, {SCHEDULED})"
CANCELLABLE = f"({QUEUED}, {PROGRESS}, {SCHEDULED}, {CANCELLED})"  # of what is held


def stored_id(session: Session, task_id: uuid.UUID) -> object:
    """The primary key as this database's driver takes it."""
    return Task._meta.pk.get_db_prep_value(task_id, session.connection)


def cancel(session: Session, task_id: uuid.UUID) -> bool:
    """End a task that nobody holds; ask the holder of one that runs. True if it will not complete or was asked."""
    params = {"id": stored_id(session, task_id), "yes": True}
    # Neither statement hits a task that is claimed or let go between the two: ask until it has ended.
    for _ in range(CANCEL_TRIES):
        if session.attempt(lambda: _cancel(session, params)):
            return True
        if not session.rows(f"SELECT 1 FROM {TASK} WHERE id = %(id)s AND status IN {UNFINISHED}", params):
            break
    return False


def _cancel(session: Session, params: dict[str, object]) -> bool:
    now = session.dialect.now()
    ended = session.write(
        f"UPDATE {TASK} SET unique_slot = NULL, modified = {now}, finished_at = {now}, status = {CANCELLED}"
        f" WHERE id = %(id)s AND {only_where(f'holder IS NULL AND status IN {UNFINISHED}')}",
        params,
    )
    if ended:
        return True
    # Somebody may have put it back while it runs: then it is cancelled once, not run once more.
    asked = session.write(
        f"UPDATE {TASK} SET cancel_requested = %(yes)s,"
        f" status = CASE WHEN status IN {UNFINISHED} THEN {PROGRESS} ELSE status END"
        f" WHERE id = %(id)s AND {only_where(f'holder IS NOT NULL AND status IN {CANCELLABLE}')}",
        params,
    )
    return asked == 1


def retry(session: Session, task_id: uuid.UUID) -> bool:
    """Run an ended task again from the start. False if it has not ended, or another task has its unique_key now."""
    key = stored_id(session, task_id)
    found = session.attempt(
        lambda: session.rows(f"SELECT unique_key, queue FROM {TASK} WHERE id = %(id)s", {"id": key})
    )
    if not found:
        return False
    ((unique_key, queue),) = found
    params = {"id": key, "slot": None if unique_key is None else slot_of(unique_key), "no": False, "seq": next_seq()}
    sql = (
        f"UPDATE {TASK} SET attempt = 0, losses = 0, unique_slot = %(slot)s, cancel_requested = %(no)s, seq = %(seq)s,"
        f" output = NULL, error = NULL, log = NULL, finished_at = NULL, modified = {session.dialect.now()},"
        f" status = {QUEUED}"
        # A row that a 0.1.x worker left in progress may be restarted by whoever knows that it does not run.
        f" WHERE id = %(id)s AND {only_where(f'holder IS NULL AND (status IN {ENDED} OR status = {PROGRESS})')}"
    )

    def write() -> bool:
        try:
            with session.undoable():
                if session.write(sql, params) != 1:
                    return False
                wake(session, queue)
                return True
        except IntegrityError:
            return False

    return session.attempt(write)


def held_and_cancelled(session: Session, worker_id: int) -> set[tuple[uuid.UUID, int]]:
    """(id, holder) of the tasks of a worker that were asked to cancel."""
    sql = f"SELECT id, holder, cancel_requested FROM {TASK} WHERE holder BETWEEN %(low)s AND %(high)s"
    rows = session.attempt(lambda: session.rows(sql, numbers_of(worker_id)))
    return {(as_uuid(key), holder) for key, holder, asked in rows if asked}
