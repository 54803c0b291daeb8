"""What 0.1.x offered to cron jobs."""

from __future__ import annotations

import warnings

from .api import queue_alias
from .backends import get_strategy
from .conf import get_settings
from .queue import rescue, workers
from .records import worker_of


def detect_orphaned_tasks() -> None:
    """Deprecated: take back what is held by workers that were declared dead or whose row is gone.

    A running task_worker does this by itself, and more: to find out that a worker is dead, it must be watched for a
    whole lease, which one call cannot do. What a worker holds that has just died is therefore left alone here.
    """
    warnings.warn(
        "detect_orphaned_tasks() is deprecated: a running task_worker does what it did. Remove the call.",
        DeprecationWarning,
        stacklevel=2,
    )
    strategy = get_strategy(queue_alias())
    # In this order: whoever holds something was registered before, so it is among the living unless it is not alive.
    holding = {worker_of(number) for number in rescue.held_numbers(strategy.session)}
    living = {worker.id for worker in workers.alive(strategy.session, get_settings().lease_seconds)}
    for worker_id in sorted(holding - living):
        rescue.rescue_worker(strategy, worker_id, "The worker that ran this task is dead.")
