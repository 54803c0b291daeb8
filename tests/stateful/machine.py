"""Workers and people at one table, in any order of steps; after each the table is as it should be."""

from __future__ import annotations

from django_simple_queue.models import Task
from django_simple_queue.records import Claim
from django_simple_queue.states import QUEUED, SCHEDULED

from .keepers import Keepers
from .people import DUE


class QueueMachine(Keepers):
    """All of them; and at the end, nothing is lost."""

    def teardown(self) -> None:
        """All workers die: whatever waits can be claimed once it is due, and nothing else is."""
        for actor in self.actors:
            if actor.open:
                actor.end(ZeroDivisionError())
        for actor in self.actors:
            self.forget(actor)
        self.look(1)
        for who in range(len(self.actors)):
            self.beat(who)
        self.look(1)
        for pick in range(len(self.rows)):
            self.update(DUE, pick)
        self.expire()
        self.promote()
        self.tidy()
        self.table_is_as_the_model_says()
        assert not Task.objects.filter(holder__isnull=False).exists()
        waiting = {key for key, row in self.rows.items() if row.status in (QUEUED, SCHEDULED)}
        claimed: list[Claim] = []
        while found := self.actors[0].claim(3, innocents_only=False):
            claimed += found
        assert {claim.uuid for claim in claimed} == waiting
        assert len(claimed) == len(waiting)
