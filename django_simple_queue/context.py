"""What a task can know of itself while it runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurrentTask:
    """The task that runs here: its id, callable, queue and which try this is (1 the first)."""

    id: uuid.UUID
    task: str
    queue: str
    attempt: int
    _cancelled: Callable[[], bool]

    def is_cancelled(self) -> bool:
        """Whether somebody asked this task to cancel: stop soon, what you raise then ends it CANCELLED."""
        return self._cancelled()


running: ContextVar[CurrentTask | None] = ContextVar("django_simple_queue_task", default=None)


def current_task() -> CurrentTask | None:
    """The task that this code runs in, or None outside of one."""
    return running.get()
