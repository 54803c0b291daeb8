"""What a task can know of itself while it runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar

from .records import Claim


class CurrentTask:
    """The task that runs here."""

    __slots__ = ("_claim", "_is_cancelled")

    def __init__(self, claim: Claim, is_cancelled: Callable[[], bool]) -> None:
        self._claim = claim
        self._is_cancelled = is_cancelled

    @property
    def id(self) -> uuid.UUID:
        return self._claim.uuid

    @property
    def task(self) -> str:
        """The dotted name of its callable."""
        return self._claim.task

    @property
    def queue(self) -> str:
        return self._claim.queue

    @property
    def attempt(self) -> int:
        """Which try this is, 1 the first; runs that were lost with their worker do not count."""
        return self._claim.attempt + 1

    def is_cancelled(self) -> bool:
        """Whether somebody asked this task to cancel. Stop soon then: what you raise ends it CANCELLED."""
        return self._is_cancelled()


running: ContextVar[CurrentTask | None] = ContextVar("django_simple_queue_task", default=None)


def current_task() -> CurrentTask | None:
    """The task that this code runs in, or None outside of one."""
    return running.get()
