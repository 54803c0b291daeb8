"""The quick way of new rows: their values in order, and no model instance between. For tasks without a unique key."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.utils import timezone

from ..backends import bulk
from ..backends.session import Session
from ..models import Task
from ..states import QUEUED, SCHEDULED
from ..validation import Moment, NewTask
from .ids import new_id
from .sql import TASK

# What is not named here is NULL, or has its default from the database.
ALWAYS = ("id", "created", "modified", "task", "args", "status", "queue", "rank", "seq")
SELDOM = ("run_after", "expires", "max_attempts", "timeout")
Numbered = tuple[int, NewTask]  # the task and its order of arrival


def is_ahead(when: Moment, now: datetime.datetime) -> bool:
    if isinstance(when, datetime.timedelta):
        return when > datetime.timedelta(0)
    return when is not None and when > now


def insert(session: Session, numbered: Numbered, tell: str | None) -> uuid.UUID:
    """Add a task. `tell`: SELECT that tells idle workers, by its queue; so it needs no statement of its own."""
    columns, (key,), (row,) = _rows(session, [numbered], _Storing(session))
    params, marks = dict(zip(columns, row, strict=True)), []
    for column, value in params.items():
        mark = f"%({column})s"
        if isinstance(value, datetime.timedelta):
            params[column], mark = value.total_seconds(), session.dialect.after(mark)
        marks.append(mark)
    told = f" RETURNING ({tell})" if tell else ""
    names = ", ".join(map(session.dialect.quote, columns))
    session.write(f"INSERT INTO {TASK} ({names}) VALUES ({', '.join(marks)}){told}", params)
    return key


def insert_many(session: Session, numbered: Sequence[Numbered]) -> list[uuid.UUID]:
    """Add tasks; their ids, in the order given."""
    storing: _Storing = _Storing(session)
    if any(isinstance(when, datetime.timedelta) for _, new in numbered for when in (new.run_after, new.expires)):
        storing = _StoringByClock(session)
    columns, keys, rows = _rows(session, numbered, storing)
    bulk.insert(session, TASK, columns, rows)
    return keys


class _Storing:
    """Makes of a time what the database is given for it; one that counts from now stays as it is."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.field: Any = Task._meta.get_field("created")

    def __call__(self, value: Any) -> Any:
        if isinstance(value, datetime.datetime):
            return self.field.get_db_prep_save(value, self.session.connection)
        return value


class _StoringByClock(_Storing):
    """Counts from the database's clock, which it has asked once."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        ((self.now,),) = session.rows(f"SELECT {session.dialect.now()}")

    def __call__(self, value: Any) -> Any:
        if isinstance(value, datetime.timedelta):
            return self.session.dialect.later(self.now, value)
        return super().__call__(value)


def _rows(
    session: Session, numbered: Sequence[Numbered], stored: Callable[[Any], Any]
) -> tuple[tuple[str, ...], list[uuid.UUID], list[tuple[Any, ...]]]:
    """The columns, and of each task its id and its row."""
    now = timezone.now()
    stamp, keys, rows = stored(now), [], []
    seldom = tuple(name for name in SELDOM if any(getattr(new, name) is not None for _, new in numbered))
    for seq, new in numbered:
        key, status = new_id(session), SCHEDULED if is_ahead(new.run_after, now) else QUEUED
        row = (key.hex, stamp, stamp, new.task, new.args, status, new.queue, -new.priority, seq)
        keys.append(key)
        rows.append((*row, *(stored(getattr(new, name)) for name in seldom)) if seldom else row)
    return (*ALWAYS, *seldom), keys, rows
