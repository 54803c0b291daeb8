"""The table, on the database and in the model: after each step both are the same."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.db import Error, connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from django_simple_queue.backends import OwnSession
from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.records import Claim
from django_simple_queue.states import CANCELLED, FAILED, QUEUED, SCHEDULED

from .actors import Actor, is_busy
from .rows import Row

WORKERS = 3
actor_numbers = st.integers(0, WORKERS - 1)
picks = st.integers(0, 99)
by_hand = st.sampled_from([QUEUED, CANCELLED, FAILED, SCHEDULED])


def or_gives_up(step: Callable[..., None]) -> Callable[..., None]:
    """The step does nothing if an open claim has locked what it wants: one thread cannot wait for itself.

    InnoDB locks what it has looked at too, up to rows that are no longer in the index.
    """

    @functools.wraps(step)
    def tried(self: Table, *args: Any, **given: Any) -> None:
        self.unless_busy(lambda: step(self, *args, **given))

    return tried


class Table(RuleBasedStateMachine):
    """What the steps share."""

    actors: list[Actor] = []
    keeper: OwnSession

    def __init__(self) -> None:
        super().__init__()
        for actor in self.actors:
            actor.disconnect()  # from what an earlier example has left
        for model in (Task, Attempt, Worker):
            model._base_manager.all().delete()
        for actor in self.actors:
            actor.reset()
        self.rows: dict[uuid.UUID, Row] = {}
        self.stale: list[tuple[Actor, Claim]] = []  # claims that their worker may still try to finish
        self.copies: list[Task] = []  # read by somebody a while ago
        self.gone: list[int] = []  # ids of workers that will never come back

    # ---- tools ----

    def unless_busy(self, work: Callable[[], Any]) -> Any:
        """Its result; None if an open transaction was in the way: then nothing may have changed."""
        try:
            return work()
        except Error as error:
            if not is_busy(error):
                raise
            return None

    def task(self, pick: int) -> uuid.UUID | None:
        return list(self.rows)[pick % len(self.rows)] if self.rows else None

    def writable(self) -> bool:
        """Whether somebody's open claim leaves the rest of the database to others."""
        return connection.features.has_select_for_update or not any(actor.open for actor in self.actors)

    # ---- what must be true ----

    @invariant()
    def table_is_as_the_model_says(self) -> None:
        names = ("status", "holder", "attempt", "losses", "cancel_requested", "finished_at", "unique_slot")
        found = {key: values for key, *values in Task.objects.values_list("pk", *names)}
        assert found.keys() == self.rows.keys()
        for key, (*plain, finished_at, slot) in found.items():
            row = self.rows[key]
            expected = [row.status, row.holder, row.attempt, row.losses, row.asked, row.done, row.keyed]
            assert [*plain, finished_at is not None, slot is not None] == expected
