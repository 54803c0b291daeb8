"""The worker: a small tree of processes. supervisor.py is its root; docs/decisions/0003-board.md draws it."""

from __future__ import annotations

import uuid
import warnings


def execute_task(task_id: uuid.UUID | str, log_fd: int | None = None) -> None:
    """Deprecated name of 0.1.x: run one task in this process."""
    from ..testing import run_task

    message = "worker.execute_task() is deprecated: use django_simple_queue.testing.run_task()"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    run_task(task_id)
