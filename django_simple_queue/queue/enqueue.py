"""Enqueue: rows are written in the caller's transaction, or in one of their own."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models.expressions import RawSQL
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from ..backends.session import Session
from ..models import Task, Worker, next_seq
from ..records import as_uuid
from ..states import QUEUED, SCHEDULED
from ..validation import Moment, NewTask
from .ids import new_id
from .insert import insert, insert_many, is_ahead
from .sql import ENDED, TASK, WORKER


def slot_of(unique_key: str) -> str:
    """What stands in unique_slot: a digest, since MySQL compares text without case and trailing blanks."""
    return hashlib.sha256(unique_key.encode()).hexdigest()


def enqueue(session: Session, new: NewTask) -> uuid.UUID:
    """Add a task; or the id of the unfinished one with the same unique_key, and nothing is added."""
    if new.unique_key is None and not _is_heard():
        return insert(session, (next_seq(), new), _telling(session))
    task = _task(session, next_seq(), new)
    if new.unique_key is None:
        task.save(force_insert=True, using=session.alias)
        key = task.id
    else:
        key = _enqueue_unique(session, task)
    wake(session, new.queue)
    return key


def _is_heard() -> bool:
    """Whether somebody wants to hear of a Task's save()."""
    return bool(pre_save.has_listeners(Task) or post_save.has_listeners(Task))


def wake(session: Session, *queues: str) -> None:
    """Have idle workers told, at the commit, that there is something to do in these queues."""
    if sql := _telling(session):
        session.rows(sql, {"queue": queues[0] if len(queues) == 1 else ""})


def _telling(session: Session) -> str | None:
    return session.dialect.wake(WORKER, f"idle AND state = {Worker.ALIVE}")


def enqueue_many(session: Session, news: Sequence[NewTask]) -> list[uuid.UUID]:
    """Add all of them or none; ids in the order given."""
    numbered = [(next_seq(), new) for new in news]
    plain = [(seq, new) for seq, new in numbered if new.unique_key is None]
    with transaction.atomic(using=session.alias):
        keys = iter(insert_many(session, plain) if plain else ())
        found = [
            next(keys) if new.unique_key is None else _enqueue_unique(session, _task(session, seq, new))
            for seq, new in numbered
        ]
        wake(session, *{new.queue for new in news})
    return found


def _task(session: Session, seq: int, new: NewTask) -> Task:
    return Task(
        id=new_id(session),
        task=new.task,
        args=new.args,
        status=SCHEDULED if is_ahead(new.run_after, timezone.now()) else QUEUED,
        queue=new.queue,
        rank=-new.priority,
        seq=seq,
        run_after=_stored(session, new.run_after),
        expires=_stored(session, new.expires),
        max_attempts=new.max_attempts,
        timeout=new.timeout,
        unique_key=new.unique_key,
        unique_slot=None if new.unique_key is None else slot_of(new.unique_key),
    )


def _stored(session: Session, when: Moment) -> Any:
    """A time to store; one that counts from now is worked out by the database's clock."""
    if isinstance(when, datetime.timedelta):
        return RawSQL(session.dialect.after("%s"), (when.total_seconds(),))
    return when


def _enqueue_unique(session: Session, task: Task) -> uuid.UUID:
    rows = Task._base_manager.using(session.alias)
    while True:
        # Never an error for the caller's transaction: a conflict just adds nothing.
        rows.bulk_create([task], ignore_conflicts=True)
        found = session.rows(
            f"SELECT id FROM {TASK} WHERE unique_slot = %(slot)s {session.dialect.read_after_conflict()}",
            {"slot": task.unique_slot},
        )
        if not found:  # it ended between the two statements
            if rows.filter(pk=task.id).exists():
                return task.id  # ours, that is: it was added and has run
            continue
        key = found[0][0]
        known = as_uuid(key)
        if known == task.id or not _free_ended(session, key):
            return known


def _free_ended(session: Session, key: Any) -> bool:
    """Clear the slot of a task that a person ended by hand. False if it is unfinished or held."""
    ended = f"id = %(id)s AND status IN {ENDED} AND holder IS NULL"
    if not session.rows(f"SELECT 1 FROM {TASK} WHERE {ended}", {"id": key}):
        return False
    now = session.dialect.now()
    sql = f"UPDATE {TASK} SET unique_slot = NULL, finished_at = COALESCE(finished_at, {now}) WHERE {ended}"
    return session.write(sql, {"id": key}) == 1
