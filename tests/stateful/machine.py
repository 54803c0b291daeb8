"""Workers and people at one table, in any order of steps; after each the table is as it should be."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.db import Error, connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from django_simple_queue.backends import ClaimStrategy, OwnSession, Session, get_strategy
from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.queue import control, finish, rescue, upkeep, workers
from django_simple_queue.queue.enqueue import enqueue
from django_simple_queue.queue.rescue import HOLDERS_PER_WORKER
from django_simple_queue.records import PLAIN_SUCCESS, Claim, Outcome, failure
from django_simple_queue.states import CANCELLED, ENDS, FAILED, QUEUED, SCHEDULED, UNFINISHED
from django_simple_queue.validation import NewTask

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
    def tried(self: QueueMachine, *args: Any, **given: Any) -> None:
        self.unless_busy(lambda: step(self, *args, **given))

    return tried


class QueueMachine(RuleBasedStateMachine):
    """Three workers; each rule is one thing that somebody does, on the real database and in the model."""

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

    # ---- people ----

    @rule(max_attempts=st.integers(1, 2), key=st.sampled_from([None, None, "a", "b"]), urgent=st.booleans())
    @precondition(lambda self: self.writable() and len(self.rows) < 8)
    @or_gives_up
    def enqueue(self, max_attempts: int, key: str | None, urgent: bool) -> None:
        new = NewTask("stateful.task", "{}", priority=int(urgent), max_attempts=max_attempts, unique_key=key)
        holders = [k for k, row in self.rows.items() if row.keyed and row.key == key]
        found = enqueue(Session(), new)
        for known in holders:
            row = self.rows[known]
            if row.status not in ENDS or row.holder is not None:
                assert found == known
                return
            row.end()
        assert found not in self.rows
        self.rows[found] = Row(max_attempts=max_attempts, key=key, keyed=key is not None)

    @rule(pick=picks)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def cancel(self, pick: int) -> None:
        if key := self.task(pick):
            assert control.cancel(self.keeper, key) is self.rows[key].cancel()

    @rule(pick=picks)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def retry(self, pick: int) -> None:
        if key := self.task(pick):
            row = self.rows[key]
            free = not any(r.keyed and r.key == row.key for r in self.rows.values() if r is not row and row.key)
            assert control.retry(self.keeper, key) is row.retry(key_is_free=free)

    @rule(pick=picks, status=by_hand)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def update(self, pick: int, status: int) -> None:
        if key := self.task(pick):
            Task.objects.filter(pk=key).update(status=status)
            self.rows[key].status = status

    @rule(pick=picks)
    def read(self, pick: int) -> None:
        if key := self.task(pick):
            self.copies = [*self.copies[-3:], Task.objects.get(pk=key)]

    @rule(pick=picks, status=st.none() | by_hand)
    @precondition(lambda self: self.copies and self.writable())
    @or_gives_up
    def save(self, pick: int, status: int | None) -> None:
        """Somebody saves what was read a while ago, perhaps with another status."""
        copy = self.copies.pop(pick % len(self.copies))
        changed = status is not None and status != copy.status
        if changed:
            copy.status = status
        copy.args = f'{{"saved": {pick}}}'
        copy.save()
        if changed:
            self.rows[copy.pk].status = copy.status

    # ---- workers ----

    @rule(who=actor_numbers, limit=st.integers(1, 3), innocents_only=st.booleans(), hold=st.booleans())
    def claim(self, who: int, limit: int, innocents_only: bool, hold: bool) -> None:
        """Claim and commit, or hold the claim open."""
        actor = self.actors[who]
        if actor.open:
            return
        if hold and self.unless_busy(lambda: (actor.begin(), True)) is None:
            actor.open = None
            return
        claims = self.unless_busy(lambda: actor.claim(limit, innocents_only=innocents_only))
        if claims is None:  # a transaction in which something failed is over
            if hold:
                actor.end(ZeroDivisionError())
            return
        self.check_claims(actor, claims, limit, innocents_only)
        if hold:
            actor.unsure = claims
        else:
            self.hold(actor, claims)

    def check_claims(self, actor: Actor, claims: list[Claim], limit: int, innocents_only: bool) -> None:
        assert len(claims) <= limit
        locked = {claim.uuid for other in self.actors for claim in other.unsure}
        rows = [self.rows[claim.uuid] for claim in claims]
        assert len({claim.uuid for claim in claims}) == len(claims)
        assert not locked & {claim.uuid for claim in claims}, "claimed by two at once"
        assert all(row.claimable for row in rows), "claimed though held or not queued"
        assert not (claims and actor.dead), "claimed by a worker that was declared dead"
        assert not any(row.alone for row in rows) or (len(rows) == 1 and not innocents_only)
        waits = [row for key, row in self.rows.items() if row.claimable and key not in locked]
        if innocents_only:
            waits = [row for row in waits if not row.alone]
        if not claims and waits and not actor.dead:
            assert any(other.open for other in self.actors if other is not actor), "nobody had it, but it did not come"

    def hold(self, actor: Actor, claims: list[Claim]) -> None:
        for claim in claims:
            row = self.rows[claim.uuid]
            row.claim(claim.holder)
            assert (claim.attempt, claim.losses) == (row.attempt, row.losses)
            actor.holds[claim.uuid] = claim

    @rule(who=actor_numbers, end=st.sampled_from(["commit", "commit", "roll back", "disconnect"]))
    @precondition(lambda self: any(actor.open for actor in self.actors))
    def end_claim(self, who: int, end: str) -> None:
        actor = self.actors[who]
        if not actor.open:
            return
        if end == "commit":
            self.hold(actor, actor.end())
        elif end == "roll back":
            actor.end(ZeroDivisionError())
        else:
            actor.disconnect()

    @rule(who=actor_numbers, good=st.booleans(), all_of_it=st.booleans())
    def finish(self, who: int, good: bool, all_of_it: bool) -> None:
        actor = self.actors[who]
        if actor.open or not actor.holds:
            return
        claims = list(actor.holds.values())[: None if all_of_it else 1]
        if self.send_finish(actor, claims, PLAIN_SUCCESS if good else failure("no")):
            for claim in claims:
                del actor.holds[claim.uuid]
                self.stale = [*self.stale[-5:], (actor, claim)]

    def send_finish(self, actor: Actor, claims: list[Claim], outcome: Outcome) -> bool:
        sent = self.unless_busy(lambda: finish.finish(actor.session, [(claim, outcome) for claim in claims]))
        if sent is None or sent.held_up:
            return False
        lost = {claim.uuid for claim in sent.lost}
        for claim in claims:
            row = self.rows[claim.uuid]
            assert (claim.uuid in lost) == (row.holder != claim.holder)
            if row.holder == claim.holder:
                row.finish(good=outcome is PLAIN_SUCCESS)
        return True

    @rule(pick=picks, good=st.booleans())
    @precondition(lambda self: self.stale)
    def finish_again(self, pick: int, good: bool) -> None:
        """A worker that was suspended, or whose connection broke, comes with what is no longer its."""
        actor, claim = self.stale[pick % len(self.stale)]
        if not actor.open and claim.uuid in self.rows:
            self.send_finish(actor, [claim], PLAIN_SUCCESS if good else failure("late"))

    @rule(who=actor_numbers)
    def release(self, who: int) -> None:
        actor = self.actors[who]
        if actor.open or not actor.holds:
            return
        claims = list(actor.holds.values())
        if self.unless_busy(lambda: (finish.release(actor.session, claims), True)) is None:
            return
        for claim in claims:
            if self.rows[claim.uuid].holder == claim.holder:
                self.rows[claim.uuid].release()
        actor.holds.clear()

    @rule(who=actor_numbers)
    def beat(self, who: int) -> None:
        actor = self.actors[who]
        if actor.open:
            return
        alive = self.unless_busy(lambda: workers.beat(actor.session, actor.id))
        if alive is None:
            return
        assert alive is not actor.dead
        actor.beats += 1
        if actor.dead:  # it drops what it holds and registers anew
            self.forget(actor)

    @rule(who=actor_numbers)
    @precondition(lambda self: self.writable())
    def crash(self, who: int) -> None:
        self.forget(self.actors[who])

    def forget(self, actor: Actor) -> None:
        self.stale += [(actor, claim) for claim in actor.holds.values()]
        actor.disconnect()
        self.gone.append(actor.id)
        if self.unless_busy(lambda: (actor.reset(), True)) is None:
            raise AssertionError("nobody else writes, and yet it could not register")

    # ---- keeper ----

    @rule(who=actor_numbers)
    def watch(self, who: int) -> None:
        self.actors[who].watched = self.actors[who].beats

    @rule(who=actor_numbers)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def declare_dead(self, who: int) -> None:
        actor = self.actors[who]
        if actor.watched is None:
            return
        silent = actor.watched == actor.beats and not actor.dead
        assert workers.declare_dead(self.keeper, actor.id, actor.watched) is silent
        actor.dead = actor.dead or silent

    @rule()
    @precondition(lambda self: self.writable())
    def rescue(self) -> None:
        for worker_id in [*self.gone, *(actor.id for actor in self.actors if actor.dead)]:
            self.rescue_worker(worker_id)

    def rescue_worker(self, worker_id: int) -> None:
        mine = range(worker_id * HOLDERS_PER_WORKER, (worker_id + 1) * HOLDERS_PER_WORKER)
        held = [row for row in self.rows.values() if row.holder is not None and row.holder in mine]
        if self.unless_busy(lambda: rescue.rescue_worker(self.strategy, worker_id, "died")) is not None:
            for row in held:
                row.lose()

    @property
    def strategy(self) -> ClaimStrategy:
        return get_strategy(session=self.keeper)

    @rule()
    @precondition(lambda self: self.writable())
    @or_gives_up
    def upkeep(self) -> None:
        upkeep.promote(self.strategy)
        upkeep.tidy(self.keeper)
        for row in self.rows.values():
            row.promote()
            row.tidy()

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

    def teardown(self) -> None:
        """All workers die: whatever is unfinished can be claimed again, and nothing else is."""
        for actor in self.actors:
            if actor.open:
                actor.end(ZeroDivisionError())
        for actor in self.actors:
            self.forget(actor)
        self.rescue()
        self.upkeep()
        self.table_is_as_the_model_says()
        assert not Task.objects.filter(holder__isnull=False).exists()
        unfinished = {key for key, row in self.rows.items() if row.status in UNFINISHED}
        claimed: list[Claim] = []
        while found := self.actors[0].claim(3, innocents_only=False):
            claimed += found
        assert {claim.uuid for claim in claimed} == unfinished
        assert len(claimed) == len(unfinished)
