"""Workers and people at one table, in any order of steps; after each the table is as it should be."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from django_simple_queue.backends import ClaimStrategy, get_strategy
from django_simple_queue.models import Task
from django_simple_queue.queue import finish, rescue, upkeep, workers
from django_simple_queue.records import HOLDERS_PER_WORKER, PLAIN_SUCCESS, Claim, Outcome, failure
from django_simple_queue.states import UNFINISHED

from .actors import Actor
from .people import People
from .table import actor_numbers, or_gives_up, picks


class QueueMachine(People):
    """Three workers and a keeper; each rule is one thing that somebody does, on the real database and in the model."""

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
