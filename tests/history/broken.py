"""An app that breaks one rule of the queue in every worker that it is installed in: DSQ_BREAK names it."""

from __future__ import annotations

import os
from typing import Any

from django.apps import AppConfig


class Broken(AppConfig):
    name = "tests.history.broken"
    label = "broken"

    def ready(self) -> None:
        if rule := os.environ.get("DSQ_BREAK"):
            globals()[rule]()


def finish_without_holder() -> None:
    from django_simple_queue.queue import finish

    finish.STILL_HELD = "1 = 1"  # type: ignore[attr-defined]


def rescue_of_the_living() -> None:
    from django_simple_queue.queue import rescue, workers
    from django_simple_queue.worker.watch import Watch

    look = Watch.look

    def impatient(self: Watch, own_id: int, *args: Any) -> None:
        for other in workers.alive(self.session, self.lease / 1e9):
            if other.id != own_id and workers.declare_dead(self.session, other.id, other.beats):
                rescue.rescue_worker(self.strategy, other.id, "it looked dead")
        look(self, own_id, *args)

    Watch.look = impatient  # type: ignore[method-assign]
