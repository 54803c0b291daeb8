"""What a callable says of itself, for every task that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Exceptions = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class TaskOptions:
    retry_on: Exceptions | None = None
    give_up_on: Exceptions = ()
    atomic: bool = False

    def gives_up(self, error: BaseException) -> bool:
        """Whether a run that raised `error` is the last, whatever attempts are left."""
        if isinstance(error, self.give_up_on):
            return True
        return self.retry_on is not None and not isinstance(error, self.retry_on)


PLAIN = TaskOptions()
atomic_callables: list[str] = []  # those seen so far, for the system checks


def task_options(
    *, retry_on: Exceptions | None = None, give_up_on: Exceptions = (), atomic: bool = False
) -> Callable[[F], F]:
    """Declare how a callable's tasks are run; the outermost decorator.

    `retry_on`: only these exceptions use up further attempts, others fail the task at once. `give_up_on`: these fail
    it at once. `atomic`: the callable and its completion are one transaction on the queue's database, so that its
    writes there happen exactly once.
    """
    options = TaskOptions(retry_on, give_up_on, atomic)

    def declare(function: F) -> F:
        function.__task_options__ = options  # type: ignore[attr-defined]
        if atomic:
            atomic_callables.append(f"{function.__module__}.{function.__qualname__}")
        return function

    return declare
