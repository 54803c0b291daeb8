"""What keepers do: settle and help runners, sweep, watch other workers, and look after the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from django_simple_queue.models import Worker
from django_simple_queue.queue import rescue, upkeep, workers
from django_simple_queue.records import Claim, Outcome, failure, worker_of
from django_simple_queue.states import QUEUED
from django_simple_queue.worker import board as b
from django_simple_queue.worker import watch
from django_simple_queue.worker.settle import Settler

from .actors import Actor
from .rows import Row
from .runners import GOOD, Runners, anybody, busy, outcomes
from .table import HOUR, SECOND, actor_numbers, or_gives_up

SIGKILL = 9
FAILURES = {
    b.Reason.TIMEOUT: failure("timed out", kind="timeout"),
    b.Reason.CANCEL: failure("Cancelled", kind="cancel"),
}


class Keepers(Runners):
    """One connection plays all keepers."""

    # ---- a worker's own runner ----

    @rule(who=actor_numbers, done=st.integers(0, 2), outcome=outcomes, reason=st.sampled_from(b.Reason))
    @precondition(anybody(lambda actor: busy(actor) or actor.pending != 0))
    def settle(self, who: int = 0, done: int = 0, outcome: Outcome = GOOD, reason: b.Reason = b.Reason.NONE) -> None:
        """The runner dies in the task after `done` others, by itself or killed for a reason."""
        actor = self.actor(who, lambda actor: busy(actor) or actor.pending)
        assert actor
        if actor.open:
            self.disconnect(actor)
        claims, pending = list(actor.holds.values()), actor.pending
        self.run(actor, claims, done, outcome)
        words = actor.page.words
        words[b.STATE], words[b.EXIT], words[b.REASON] = b.PageState.DEAD, SIGKILL, reason
        words[b.VICTIM] = next((actor.slots[claim.uuid] for claim in claims[done:]), 0)
        settled = self.unless_busy(lambda: self.settler(actor).settle(actor.page))
        for place, row in self.let_go(claims, sure=bool(settled)):
            if place < done:
                row.finish(outcome)
            elif place > done or reason in (b.Reason.SHUTDOWN, b.Reason.STOPPED):
                row.release()
            elif reason == b.Reason.NONE:
                row.lose("killed by SIGKILL")
            else:
                row.finish(FAILURES[reason]._replace(output=""))
        self.release_stray(lambda number: number == pending != 0, sure=settled is not None)
        self.stale += [(actor, claim) for claim in claims]
        actor.next_runner()

    @rule(who=actor_numbers, done=st.integers(0, 2), outcome=outcomes)
    @precondition(anybody(busy))
    def help(self, who: int = 0, done: int = 0, outcome: Outcome = GOOD) -> None:
        """The runner is long in one task: what is done beside it is stored, what has not begun given back."""
        actor = self.actor(who, busy)
        assert actor
        claims = list(actor.holds.values())
        done = min(done, len(claims) - 1)
        self.run(actor, claims, done, outcome)
        actor.board.control[b.C_STOP] = b.Stop.SOON
        sure = self.went_through(self.settler(actor).help_long_runs)
        actor.board.control[b.C_STOP] = b.Stop.NO
        others = [*claims[:done], *claims[done + 1 :]]
        for place, row in self.let_go(others, sure=sure):
            if place < done:
                row.finish(outcome)
            else:
                row.release()
        actor.page.take_back(actor.slots[claims[done].uuid])
        for claim in others:
            actor.drop(claim)

    def run(self, actor: Actor, claims: list[Claim], done: int, outcome: Outcome) -> None:
        """On the board: so many are done, the next one runs."""
        actor.page.words[b.USED] = 0
        for claim in claims[:done]:
            assert actor.page.done(actor.slots[claim.uuid], outcome)
        for claim in claims[done : done + 1]:
            actor.page.start(actor.slots[claim.uuid])

    def settler(self, actor: Actor) -> Settler:
        return Settler(self.keeper, actor.board, ())

    def let_go(self, claims: list[Claim], *, sure: bool) -> list[tuple[int, Row]]:
        """Places and rows of the claims that were theirs and are let go: all, or else those that the table says."""
        now = {} if sure else self.now_in("holder")
        let_go = [claim for claim in claims if now.get(claim.uuid) != claim.holder]
        return [(claims.index(claim), row) for claim, row in self.held(let_go)]

    @rule(who=actor_numbers)
    @precondition(Runners.writable)
    def sweep(self, who: int = 0) -> None:
        """What is held in the worker's name under a number that is on none of its pages is given back."""
        actor = self.actors[who]
        held = rescue.held_numbers(self.keeper)
        on_pages = {claim.holder for claim in actor.holds.values()} | {actor.pending}
        sure = self.went_through(lambda: self.settler(actor).sweep(actor.id, held))
        self.release_stray(lambda number: worker_of(number) == actor.id and number not in on_pages, sure=sure)

    def release_stray(self, is_stray: Callable[[int], bool], *, sure: bool) -> None:
        now = {} if sure else self.now_in("holder")
        for key, row in self.rows.items():
            if row.holder is not None and is_stray(row.holder) and now.get(key) != row.holder:
                row.release()

    def takes_all(self, work: Callable[[], Any]) -> bool:
        """Whether it surely took all it could: it skips what is locked, and an open claim locks what it looked at."""
        return self.went_through(work) and not any(actor.open for actor in self.actors)

    # ---- other workers ----

    @rule(who=actor_numbers, what=st.sampled_from(["crash", "notice", "declare_dead", "delete_worker"]))
    @precondition(Runners.writable)
    def misfortune(self, who: int, what: str) -> None:
        self.do(what, who)

    def notice(self, who: int = 0) -> None:
        """A second keeper notes how often the worker has beaten."""
        actor = self.actors[who]
        actor.watched = self.beats.get(actor.id)

    @or_gives_up
    def declare_dead(self, who: int = 0) -> None:
        actor = self.actors[who]
        if actor.watched is None:
            return
        silent = self.beats.get(actor.id) == actor.watched
        assert workers.declare_dead(self.keeper, actor.id, actor.watched) is silent
        if silent:
            del self.beats[actor.id]

    @or_gives_up
    def delete_worker(self, who: int = 0) -> None:
        """Somebody deletes the row of a worker that lives."""
        actor = self.actors[who]
        Worker.objects.filter(pk=actor.id).delete()
        self.beats.pop(actor.id, None)

    @rule(seconds=st.sampled_from([0, 0, 1, 3]))
    @precondition(Runners.writable)
    def look(self, seconds: int = 0) -> None:
        """The keeper looks at the others: who was silent for a lease is dead, and what no living one holds is taken.

        A lease and a heartbeat are one second.
        """
        self.clock += seconds * SECOND
        seen = self.seen
        silent = self.silent()
        if self.slow and any(actor.open and (self.is_dead(actor) or actor.id in silent) for actor in self.actors):
            self.seen = seen  # the row of a dead worker goes only when it is known that nothing is held: no look
            return
        self.looked = self.clock
        for worker_id in silent:
            del self.beats[worker_id], self.seen[worker_id]
        held = rescue.held_numbers(self.keeper)
        with mock.patch.object(watch, "clock", return_value=self.clock):
            sure = self.takes_all(lambda: self.watch.look(0, self.clock, held))
        now = {} if sure else self.now_in("holder")
        for key, row in self.rows.items():
            lost = row.holder is not None and worker_of(row.holder) not in self.beats
            if lost and now.get(key) != row.holder:
                row.lose("died while it held")
        if sure:
            dead = set(Worker.objects.filter(state=Worker.DEAD).values_list("pk", flat=True))
            assert not dead, "a dead worker under whose id nothing is held"

    def silent(self) -> list[int]:
        """Whose beats have not moved during one whole lease that this keeper watched, its own beats in time."""
        if self.looked and self.clock - self.looked > 2 * SECOND:
            self.seen = {}
        self.seen = {worker_id: known for worker_id, known in self.seen.items() if worker_id in self.beats}
        for worker_id, beats in self.beats.items():
            if self.seen.get(worker_id, (-1, 0))[0] != beats:
                self.seen[worker_id] = beats, self.clock
        return [worker_id for worker_id, (_, since) in self.seen.items() if self.clock - since >= SECOND]

    # ---- the table ----

    @rule(duty=st.sampled_from([("promote",), ("expire",), ("tidy",), ("prune", 0), ("prune", HOUR.total_seconds())]))
    @precondition(Runners.writable)
    def upkeep(self, duty: tuple[Any, ...]) -> None:
        self.do(*duty)

    def promote(self) -> None:
        sure = self.takes_all(lambda: upkeep.promote(self.strategy))
        now = {} if sure else self.now_in("status")
        for key, row in self.rows.items():
            if row.due and now.get(key, QUEUED) == QUEUED:
                row.promote()

    @or_gives_up
    def expire(self) -> None:
        upkeep.expire(self.keeper)
        for row in self.rows.values():
            row.expire()

    @or_gives_up
    def tidy(self) -> None:
        upkeep.tidy(self.keeper)
        for row in self.rows.values():
            row.tidy()

    @or_gives_up
    def prune(self, keep: float = 0) -> None:
        upkeep.prune(self.keeper, keep)
        for key, row in list(self.rows.items()):
            if row.may_be_pruned(young_too=not keep):
                del self.rows[key]
