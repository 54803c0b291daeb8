"""What a person does in the admin: enqueue many tasks again, or add a task that need not run."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet

from ..backends.session import Session
from ..models import Task
from ..records import as_uuid
from ..states import ENDS, QUEUED
from ..validation import NewTask
from .control import stored_id
from .enqueue import enqueue, slot_of
from .sql import ENDED, TASK


def enqueue_again(tasks: QuerySet[Task]) -> int:
    """Make all of them QUEUED at their old places, as `.update(status=QUEUED)` does; how many tasks."""
    return tasks.order_by().update(status=QUEUED)


def add_by_hand(session: Session, new: NewTask, *, status: int = QUEUED, output: str | None = None) -> uuid.UUID:
    """Enqueue a task; with an end as its status it is a record that never runs, and only then has an output."""
    if status not in ENDS:
        return enqueue(session, new)
    with session.undoable():  # nobody can claim it in between
        task_id = enqueue(session, new._replace(unique_key=None))
        session.write(
            f"UPDATE {TASK} SET output = %(output)s, unique_key = %(key)s, finished_at = {session.dialect.now()},"
            f" status = %(status)s WHERE id = %(id)s",
            {"output": output, "key": new.unique_key, "status": status, "id": stored_id(session, task_id)},
        )
    return task_id


def task_with_key(session: Session, unique_key: str) -> str | None:
    """The id of the unfinished task that has this key, or None. Another one may have it a moment later."""
    sql = f"SELECT id FROM {TASK} WHERE unique_slot = %(slot)s AND NOT (status IN {ENDED} AND holder IS NULL)"
    found = session.rows(sql, {"slot": slot_of(unique_key)})
    return str(as_uuid(found[0][0])) if found else None
