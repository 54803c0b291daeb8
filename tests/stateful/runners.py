"""What a worker's runner does: claim, finish, give back, come back late, die."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from django_simple_queue.queue import finish, workers
from django_simple_queue.queue.sql import TASK
from django_simple_queue.records import PLAIN_SUCCESS, Claim, Outcome, as_uuid, failure
from django_simple_queue.states import QUEUED, SCHEDULED

from .actors import Actor
from .people import People
from .rows import next_batch
from .table import Table, actor_numbers, picks

GOOD, BAD = PLAIN_SUCCESS, failure("no")
outcomes = st.sampled_from([GOOD, GOOD, Outcome(output="42"), BAD, BAD, failure("never", final=True)])
limits = st.integers(1, 3)
seldom = st.sampled_from([False, False, False, True])
ENDINGS = ("commit", "commit", "roll back", "disconnect", "unseen")


def free(actor: Actor) -> bool:
    return actor.open is None


def busy(actor: Actor) -> bool:
    return actor.open is None and bool(actor.holds)


def anybody(able: Callable[[Actor], bool]) -> Callable[[Table], bool]:
    return lambda self: self.writable() and any(map(able, self.actors))


class Runners(People):
    """Three workers; each rule is one thing that one of them does, on the real database and in the model."""

    @rule(who=actor_numbers, limit=limits, innocents_only=st.booleans(), dead=seldom)
    @precondition(lambda self: self.waiting() and anybody(free)(self))
    def open_claim(self, who: int, limit: int, innocents_only: bool, dead: bool) -> None:
        """Rows are locked and written, and not yet committed."""
        self.claim(who, limit, innocents_only, dead, hold=True)

    @rule(who=actor_numbers, limit=limits, innocents_only=st.booleans(), dead=seldom)
    @precondition(lambda self: self.waiting() and anybody(free)(self))
    def claim(
        self, who: int = 0, limit: int = 1, innocents_only: bool = False, dead: bool = False, hold: bool = False
    ) -> None:
        """By a worker that was declared dead, or by one that was not."""
        actor = self.actor(who, lambda actor: free(actor) and self.is_dead(actor) is dead) or self.actor(who, free)
        assert actor
        if hold and not self.went_through(actor.begin):
            actor.open = None
            return
        claims = self.unless_busy(lambda: actor.claim(limit, innocents_only=innocents_only))
        if claims is None:
            self.failed_claim(actor)
            return
        aside = self.seen_aside(actor)
        self.check_claims(actor, claims, aside, limit, innocents_only)
        if hold:
            actor.unsure, actor.aside = claims, aside
        else:
            self.hold(actor, claims, aside)

    def waiting(self) -> bool:
        return any(row.status == QUEUED for row in self.rows.values())

    def failed_claim(self, actor: Actor) -> None:
        """A transaction in which something failed is over; without one, a part may be committed."""
        number = actor.pending
        actor.give_up_claim()
        if actor.open:
            actor.end(ZeroDivisionError())
            return
        for key in self.seen_aside(actor):
            self.rows[key].set_aside()
        for key, holder in self.now_in("holder").items():
            if holder == number:
                self.rows[key].claim(number)

    def seen_aside(self, actor: Actor) -> list[uuid.UUID]:
        """What a claim found not due and put where it is promoted from, as the claimer sees it."""
        found = actor.session.rows(f"SELECT id FROM {TASK} WHERE status = {SCHEDULED}")
        keys = [as_uuid(key) for (key,) in found]
        return [key for key in keys if self.rows[key].claimable and self.rows[key].ahead]

    def check_claims(
        self, actor: Actor, claims: list[Claim], aside: list[uuid.UUID], limit: int, innocents_only: bool
    ) -> None:
        others = [other for other in self.actors if other.open and other is not actor]
        rows = [self.rows[claim.uuid] for claim in claims]
        taken = {claim.uuid for claim in claims}
        assert len(claims) <= limit
        assert len(taken) == len(claims)
        assert not any(self.locked_by(other) & (taken | set(aside)) for other in others), "claimed by two at once"
        assert all(row.claimable for row in rows), "claimed though held, expired or not queued"
        assert not any(row.ahead for row in rows), "claimed though not due"
        assert not ((claims or aside) and self.is_dead(actor)), "claimed by a worker that was declared dead"
        assert not any(row.alone for row in rows) or (len(rows) == 1 and not innocents_only)
        assert [row.turn for row in rows] == sorted(row.turn for row in rows)
        turns = [row.turn for row in self.rows.values() if row.claimable]
        if not others and not self.is_dead(actor) and len(set(turns)) == len(turns):
            expected = next_batch(self.rows.values(), limit, innocents_only=innocents_only)
            assert rows == expected.taken, "nobody else claims, and yet others came"
            assert {self.rows[key] for key in aside} == set(expected.aside)

    def hold(self, actor: Actor, claims: list[Claim], aside: list[uuid.UUID]) -> None:
        self.claimed(claims, aside)
        actor.take(claims)

    def claimed(self, claims: list[Claim], aside: list[uuid.UUID]) -> None:
        for key in aside:
            self.rows[key].set_aside()
        for claim in claims:
            row = self.rows[claim.uuid]
            row.claim(claim.holder)
            assert (claim.attempt, claim.losses, claim.slotted) == (row.attempt, row.losses, row.keyed)

    @rule(who=actor_numbers, end=st.sampled_from(ENDINGS))
    @precondition(lambda self: any(actor.open for actor in self.actors))
    def end_claim(self, who: int = 0, end: str = "commit") -> None:
        """`unseen`: it is committed, but the runner dies before it knows."""
        actor = self.actor(who, lambda actor: actor.open)
        assert actor
        aside = actor.aside
        if end == "commit":
            self.hold(actor, actor.end(), aside)
        elif end == "unseen":
            self.claimed(actor.end(), aside)
        elif end == "roll back":
            actor.end(ZeroDivisionError())
            actor.give_up_claim()
        else:
            self.disconnect(actor)
            actor.give_up_claim()
        actor.aside = []

    @rule(who=actor_numbers, outcome=outcomes, all_of_it=st.booleans())
    @precondition(anybody(busy))
    def finish(self, who: int = 0, outcome: Outcome = GOOD, all_of_it: bool = True) -> None:
        actor = self.actor(who, busy)
        assert actor
        claims = list(actor.holds.values())[: None if all_of_it else 1]
        for claim in self.send_finish(actor, claims, outcome):
            actor.drop(claim)
            self.stale = [*self.stale[-5:], (actor, claim)]

    def send_finish(self, actor: Actor, claims: list[Claim], outcome: Outcome) -> list[Claim]:
        """Those of which the runner knows what became."""
        mine = {claim.uuid for claim, _ in self.held(claims)}
        sent = self.unless_busy(lambda: finish.finish(actor.session, [(claim, outcome) for claim in claims]))
        if sent is None:
            now = self.now_in("holder")
            known = [claim for claim in claims if now.get(claim.uuid) != claim.holder]
        else:
            known = [claim for claim in claims if claim not in sent.held_up]
            theirs = {claim.uuid for claim in known} - mine
            # Of a row that has ended nobody can tell whether this run did it and its answer was lost.
            surely = {key for key in theirs if key not in self.rows or not self.rows[key].rests}
            assert surely <= {claim.uuid for claim in sent.lost} <= theirs
        for _, row in self.held(known):
            row.finish(outcome)
        return known

    @rule(pick=picks, outcome=outcomes | st.none())
    @precondition(lambda self: self.stale)
    def come_back(self, pick: int, outcome: Outcome | None) -> None:
        """A worker that was suspended, or whose connection broke, comes with what is no longer its."""
        if outcome is None:
            self.release_again(pick)
        else:
            self.finish_again(pick, outcome)

    def finish_again(self, pick: int = 0, outcome: Outcome = BAD) -> None:
        actor, claim = self.stale[pick % len(self.stale)]
        if not actor.open:
            self.send_finish(actor, [claim], outcome)

    def release_again(self, pick: int = 0) -> None:
        actor, claim = self.stale[pick % len(self.stale)]
        if not actor.open:
            self.send_release(actor, [claim])

    @rule(who=actor_numbers)
    @precondition(anybody(busy))
    def release(self, who: int = 0) -> None:
        actor = self.actor(who, busy)
        assert actor
        for claim in self.send_release(actor, list(actor.holds.values())):
            actor.drop(claim)

    def send_release(self, actor: Actor, claims: list[Claim]) -> list[Claim]:
        """Those that are surely let go."""
        if not self.went_through(lambda: finish.release(actor.session, claims)):
            now = self.now_in("holder")
            claims = [claim for claim in claims if now.get(claim.uuid) != claim.holder]
        for _, row in self.held(claims):
            row.release()
        return claims

    @rule(who=actor_numbers)
    @precondition(anybody(free))
    def beat(self, who: int = 0) -> None:
        actor = self.actor(who, free)
        assert actor
        alive = self.unless_busy(lambda: workers.beat(actor.session, actor.id))
        if alive is None:
            return
        assert alive is not self.is_dead(actor)
        if alive:
            self.beats[actor.id] += 1
        else:  # it drops what it holds and registers anew
            self.forget(actor)

    def crash(self, who: int = 0) -> None:
        self.forget(self.actors[who])

    def forget(self, actor: Actor) -> None:
        self.stale += [(actor, claim) for claim in actor.holds.values()]
        self.disconnect(actor)
        assert self.went_through(lambda: self.register(actor)), "nobody else writes, and yet it could not register"
