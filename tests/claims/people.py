"""Rows, the people who write them by hand, and what must be true after each of their steps."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import Error, connection, connections, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from django_simple_queue.backends.errors import Trouble, trouble
from django_simple_queue.claims import DbNow

from .case import empty_tables, skips_locked
from .kinds import Row
from .models import Base, Campaign, Child, Line, PairTarget, Target

PEOPLE = "people"
CLAIMERS = ("claimer_0", "claimer_1", "claimer_2")
MOST_ROWS = 8
picks = st.integers(0, 99)
priorities, actives = st.integers(0, 1), st.sampled_from([None, True, True, False])
Key = tuple[Any, Any]  # model, primary key


class Claimer:
    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.open: Any = None  # a transaction
        self.view: dict[Key, Row] = {}  # rows that it has written and not committed
        self.locked: set[Key] = set()  # rows that it may have locked besides

    def begin(self) -> None:
        self.open = transaction.atomic(using=self.alias)
        self.open.__enter__()

    def end(self, error: BaseException | None = None) -> dict[Key, Row]:
        """Commit, or roll back for `error`; what was written."""
        opened, self.open = self.open, None
        written, self.view, self.locked = self.view, {}, set()
        opened.__exit__(type(error) if error else None, error, None)
        return written

    def disconnect(self) -> None:
        connections[self.alias].connection.close()
        del connections[self.alias]  # and Django knows nothing of it
        self.open, self.view, self.locked = None, {}, set()


def is_busy(error: Error) -> bool:
    return trouble(error) is Trouble.BUSY


def or_gives_up(step: Callable[..., None]) -> Callable[..., None]:
    """The step does nothing if an open transaction has locked what it wants: one thread cannot wait for itself.

    Where there is one writer at a time, the commit itself may find that another is reading.
    """

    @functools.wraps(step)
    def tried(self: People, *args: Any, **given: Any) -> None:
        before = {key: dataclasses.replace(row) for key, row in self.rows.items()}
        try:
            with transaction.atomic(using=PEOPLE):
                step(self, *args, **given)
        except Error as error:
            if not is_busy(error):
                raise
            self.rows = before

    return tried


class People(RuleBasedStateMachine):
    """Each rule is something that one of them does, without a look at the others."""

    def __init__(self) -> None:
        super().__init__()
        self.claimers = [Claimer(alias) for alias in CLAIMERS]
        empty_tables(PEOPLE, Target, Campaign, PairTarget, Base)
        self.campaigns = {on: Campaign.objects.using(PEOPLE).create(active=on) for on in (True, False)}
        self.rows: dict[Key, Row] = {}
        self.given: list[tuple[Key, int]] = []  # leased rows, with the fence under which they were
        self.numbers = 0
        self.gone = False  # somebody is, and the database may not have seen it

    def teardown(self) -> None:
        for claimer in self.claimers:
            if claimer.open:
                claimer.end(ZeroDivisionError())

    @initialize(
        first=st.lists(st.tuples(priorities, actives, st.booleans()), min_size=2, max_size=4),
        waits=st.sampled_from([0, 0, 0, 0, 1]),
    )
    def begin_with_some(self, first: list[tuple[int, bool | None, bool]], waits: int) -> None:
        # MySQL, and MariaDB with SKIP LOCKED, wait for a lock for a whole second at least: seldom, then.
        self.waits = waits if connection.vendor == "mysql" and skips_locked() else 99
        for priority, active, lines in first:
            self.add(Target, priority, active, lines)
        for model in (PairTarget, Child):
            self.add(model, 0, None, False)

    # ---- what they do ----

    def is_held(self, key: Key) -> bool:
        return any(key in claimer.view or key in claimer.locked for claimer in self.claimers)

    def picked(self, pick: int) -> Key | None:
        free = [key for key in self.rows if not self.is_held(key)]
        return free[pick % len(free)] if free else None

    @rule(
        model=st.sampled_from([Target, Target, Target, PairTarget, Child]),
        priority=priorities,
        active=actives,
        lines=st.booleans(),
    )
    @precondition(lambda self: len(self.rows) < MOST_ROWS)
    @or_gives_up
    def add(self, model: Any, priority: int, active: bool | None, lines: bool) -> None:
        self.numbers += 1
        rows = model.objects.using(PEOPLE)
        if model is PairTarget:
            made = rows.create(tenant=priority, number=self.numbers)
        elif model is Child:
            made = rows.create()
        else:
            made = rows.create(priority=priority, campaign=None if active is None else self.campaigns[active])
            if lines:
                Line.objects.using(PEOPLE).create(target=made)
        target = model is Target
        self.rows[model, made.pk] = Row(model, priority * target, active if target else None, lines and target)

    @rule(pick=picks, status=st.sampled_from([0, 0, 1, 2]))
    @or_gives_up
    def edit(self, pick: int, status: int) -> None:
        """By hand; or a row comes back to be claimed again."""
        if key := self.picked(pick):
            model, pk = key
            field, value = ("sent", bool(status)) if model is Child else ("status", status)
            model.objects.using(PEOPLE).filter(pk=pk).update(**{field: value})
            self.rows[key].status = bool(status) if model is Child else status

    @rule(pick=picks)
    @or_gives_up
    def expire(self, pick: int) -> None:
        key = self.picked(pick)
        if key and key[0] is Target and self.rows[key].leased:
            Target.objects.using(PEOPLE).filter(pk=key[1]).update(lease_until=DbNow() - timedelta(hours=1))
            self.rows[key].leased = False

    @rule(pick=picks)
    @or_gives_up
    def delete(self, pick: int) -> None:
        if key := self.picked(pick):
            key[0].objects.using(PEOPLE).filter(pk=key[1]).delete()
            del self.rows[key]

    # ---- what must be true ----

    @invariant()
    def tables_are_as_the_model_says(self) -> None:
        found = {
            (model, one.pk): columns(one)
            for model in (Target, PairTarget, Child)
            for one in model.objects.using(PEOPLE).all()
        }
        assert found == {key: expected_columns(row) for key, row in self.rows.items()}


def columns(one: Any) -> list[Any]:
    if isinstance(one, Child):
        return [one.sent]
    return [one.status] if isinstance(one, PairTarget) else [one.status, one.tries, one.fence]


def expected_columns(row: Row) -> list[Any]:
    return [row.status, row.tries, row.fence] if row.model is Target else [row.status]
