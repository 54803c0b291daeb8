"""The table, on the database and in the model: after each step both are the same."""

from __future__ import annotations

import datetime
import functools
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.db import Error, connection
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from django_simple_queue.backends import ClaimStrategy, OwnSession, get_strategy
from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.queue.control import stored_id
from django_simple_queue.queue.sql import TASK
from django_simple_queue.records import Claim
from django_simple_queue.worker.watch import Watch

from .actors import Actor, is_busy, waits_long
from .rows import Row

WORKERS = 3
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
SECOND = 10**9
actor_numbers = st.integers(0, WORKERS - 1)
picks = st.integers(0, 99)
COLUMNS = (
    *("id", "status", "holder", "attempt", "losses", "cancel_requested", "finished_at", "unique_slot"),
    *("run_after", "expires", "output", "error"),
)


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
        self.rows: dict[uuid.UUID, Row] = {}
        self.places = itertools.count(1)
        self.beats: dict[int, int] = {}  # of each worker that is not declared dead, the crashed ones too
        self.stale: list[tuple[Actor, Claim]] = []  # claims that their worker may still try to finish
        self.copies: list[Task] = []  # read by somebody a while ago
        self.watch = Watch(self.strategy, lease=1, heartbeat=1)
        self.seen: dict[int, tuple[int, int]] = {}  # what that watch knows: beats, and since when
        self.clock = SECOND
        self.looked = 0  # when it looked last
        self.slow = waits_long(self.keeper)  # then what may be locked is seldom touched
        for actor in self.actors:
            self.register(actor)

    # ---- tools ----

    def do(self, step: str, *args: Any) -> None:
        getattr(self, step)(*args)

    @property
    def strategy(self) -> ClaimStrategy:
        return get_strategy(session=self.keeper)

    def register(self, actor: Actor) -> None:
        actor.reset()
        self.beats[actor.id] = 0

    def is_dead(self, actor: Actor) -> bool:
        return actor.id not in self.beats

    def unless_busy(self, work: Callable[[], Any]) -> Any:
        """Its result; None if an open transaction was in the way: then nothing may have changed."""
        try:
            return work()
        except Error as error:
            if not is_busy(error):
                raise
            return None

    def went_through(self, work: Callable[[], Any]) -> bool:
        """Whether all of it was done; else the table says what was."""
        return self.unless_busy(lambda: (work(), True)) is not None

    def now_in(self, column: str) -> dict[uuid.UUID, Any]:
        """A column as it is in the database."""
        return dict(Task.objects.values_list("pk", column))

    def held(self, claims: Iterable[Claim]) -> list[tuple[Claim, Row]]:
        """Those of the claims that are still theirs, with their rows."""
        found = ((claim, self.rows.get(claim.uuid)) for claim in claims)
        return [(claim, row) for claim, row in found if row is not None and row.holder == claim.holder]

    def actor(self, who: int, able: Callable[[Actor], Any]) -> Actor | None:
        """This one, or the next that is able to do it."""
        return next((actor for actor in self.actors[who:] + self.actors[:who] if able(actor)), None)

    def task(self, pick: int) -> uuid.UUID | None:
        keys = [] if self.would_wait(pick) else list(self.rows)
        return keys[pick % len(keys)] if keys else None

    def would_wait(self, pick: int) -> bool:
        """Whether a write could cost a second, as an open claim locks what it has looked at: done once in ten times."""
        return self.slow and pick % 10 != 7 and any(actor.open for actor in self.actors)

    def writable(self) -> bool:
        """Whether somebody's open claim leaves the rest of the database to others."""
        return connection.features.has_select_for_update or not any(actor.open for actor in self.actors)

    def disconnect(self, actor: Actor) -> None:
        """Its connection breaks, and the server has noticed."""
        locked = self.locked_by(actor)
        actor.disconnect()
        if not connection.features.has_select_for_update:
            return
        look, end = f"SELECT 1 FROM {TASK} WHERE id = %(id)s FOR UPDATE", time.monotonic() + 60
        for key in locked:
            params = {"id": stored_id(self.keeper, key)}
            while not self.went_through(functools.partial(self.keeper.rows, look, params)):
                assert time.monotonic() < end, "the server keeps the locks of a connection that is gone"

    def locked_by(self, actor: Actor) -> set[uuid.UUID]:
        return {claim.uuid for claim in actor.unsure} | set(actor.aside)

    # ---- what must be true ----

    @invariant()
    def table_is_as_the_model_says(self) -> None:
        tries = Counter(Attempt.objects.values_list("task_id", flat=True))
        found = {values.pop("id"): values for values in Task.objects.values(*COLUMNS)}
        assert found.keys() == self.rows.keys()
        now = timezone.now()
        for key, values in found.items():
            row, error = self.rows[key], values["error"]
            values |= {
                "finished_at": _when(values["finished_at"], now),
                "unique_slot": values["unique_slot"] is not None,
                "run_after": values["run_after"] is not None and values["run_after"] > now,
                "expires": values["expires"] is not None and values["expires"] <= now,
                "error": row.error if row.error and error and row.error in error else error,
                "attempts": tries[key],
            }
            assert values == _columns(row)

    @invariant()
    def workers_are_as_the_model_says(self) -> None:
        assert dict(Worker.objects.filter(state=Worker.ALIVE).values_list("pk", "beats")) == self.beats


def _when(finished_at: datetime.datetime | None, now: datetime.datetime) -> str:
    return "never" if finished_at is None else "long ago" if finished_at < now - HOUR else "lately"


def _columns(row: Row) -> dict[str, Any]:
    return {
        "status": row.status,
        "holder": row.holder,
        "attempt": row.attempt,
        "losses": row.losses,
        "cancel_requested": row.asked,
        "finished_at": "never" if not row.done else "long ago" if row.old else "lately",
        "unique_slot": row.keyed,
        "run_after": row.ahead,
        "expires": row.expired,
        "output": row.output,
        "error": row.error,
        "attempts": row.tries,
    }
