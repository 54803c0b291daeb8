"""What projects call. Rows are written in the caller's transaction: seen after its commit, gone with its rollback."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import router

from .backends import Session
from .conf import get_settings
from .context import current_task
from .exceptions import TaskNotAllowedError
from .models import Task
from .queue import control
from .queue.enqueue import enqueue, enqueue_many
from .validation import CHECKS, new_task

__all__ = [
    "TaskNotAllowedError",
    "acancel_task",
    "acreate_task",
    "acreate_tasks",
    "aretry_task",
    "cancel_task",
    "create_task",
    "create_tasks",
    "current_task",
    "retry_task",
]

_LEFT_OUT: Any = object()


def create_task(
    task: str | Callable[..., Any],
    args: dict[str, Any] = _LEFT_OUT,
    *,
    queue: str = "default",
    priority: int = 0,
    run_after: datetime.datetime | datetime.timedelta | None = None,
    max_attempts: int | None = None,
    timeout: float | None = None,
    unique_key: str | None = None,
    expires: datetime.datetime | datetime.timedelta | None = None,
    using: str | None = None,
) -> uuid.UUID:
    """Enqueue a call of `task`, a dotted name or a module-level function, with the keyword arguments `args`.

    `priority` -100..100, higher first. `run_after`, `expires`: an aware datetime, or a timedelta from now.
    `timeout`: seconds. `unique_key`: while a task with it is unfinished, its id comes back and nothing is added.
    Raises TypeError, ValueError or TaskNotAllowedError before anything is written.
    """
    given = {
        "queue": queue,
        "priority": priority,
        "run_after": run_after,
        "max_attempts": max_attempts,
        "timeout": timeout,
        "unique_key": unique_key,
        "expires": expires,
    }
    new = new_task(task, {} if args is _LEFT_OUT else args, given)
    return enqueue(session_for(using), new)


def create_tasks(specs: Iterable[Mapping[str, Any]], *, using: str | None = None) -> list[uuid.UUID]:
    """Enqueue many tasks, all or none; each spec is a dict of create_task's arguments. The ids, in the same order."""
    news = []
    for place, spec in enumerate(specs):
        given = dict(spec)
        try:
            task, args = given.pop("task"), given.pop("args", {})
            if unknown := given.keys() - CHECKS.keys():
                raise TypeError(f"it has no argument {sorted(unknown)[0]!r}; there are {', '.join(CHECKS)}.")
            news.append(new_task(task, args, given))
        except KeyError:
            raise TypeError(f"specs[{place}] has no 'task'.") from None
        except (TypeError, ValueError, TaskNotAllowedError) as error:
            raise type(error)(f"specs[{place}]: {error}") from None
    return enqueue_many(session_for(using), news) if news else []


def cancel_task(task_id: uuid.UUID | str, *, using: str | None = None) -> bool:
    """Cancel a task that waits; ask one that runs to stop. True if it will not complete or was asked."""
    return control.cancel(session_for(using), _uuid(task_id))


def retry_task(task_id: uuid.UUID | str, *, using: str | None = None) -> bool:
    """Run an ended task again from the start. False if it has not ended, or another one has its unique_key now."""
    return control.retry(session_for(using), _uuid(task_id))


acreate_task = sync_to_async(create_task, thread_sensitive=True)
acreate_tasks = sync_to_async(create_tasks, thread_sensitive=True)
acancel_task = sync_to_async(cancel_task, thread_sensitive=True)
aretry_task = sync_to_async(retry_task, thread_sensitive=True)


def session_for(using: str | None) -> Session:
    """The calling thread's connection to `using`, else the DATABASE setting's alias, else where Task is written."""
    return Session(using or queue_alias())


def queue_alias() -> str:
    return get_settings().database or router.db_for_write(Task)


def _uuid(task_id: uuid.UUID | str) -> uuid.UUID:
    if isinstance(task_id, uuid.UUID):
        return task_id
    try:
        return uuid.UUID(task_id)
    except (TypeError, ValueError, AttributeError):
        raise ValueError(f"task_id should be a UUID, not {task_id!r}.") from None
