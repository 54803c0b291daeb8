"""A rule that was weighed and not taken: see docs/decisions/0002-states.md."""

from __future__ import annotations

from .rules import Rules
from .state import Worker


class NothingBesideALoss(Rules):
    """While a task with a loss is held in a worker, its other runners hold nothing."""

    def may_fly_the_flag(self, worker: Worker, r: int) -> bool:
        return not any(page.number for other, page in enumerate(worker.pages) if other != r)

    def makes_room(self, worker: Worker, r: int) -> bool:
        return not any(page.alone for other, page in enumerate(worker.pages) if other != r)
