"""Histories written by hand that break one rule each: each ends with its rows."""

from __future__ import annotations

from tests.model import onlooker
from tests.model.state import FAILED, PROGRESS, QUEUED, SCHEDULED, Row

from .allowed import (
    A2,
    A,
    B,
    Rows,
    fails_and_is_tried_again,
    its_runner_dies,
    its_worker_is_suspended,
    runs_again,
    runs_once,
)
from .facts import ALONE, DEAD_IS_DEAD, LEASED, NUMBER_ONCE
from .replay import DONE_STAYS, LIVING, NOT_DEAD, TOLD, UNMARKED
from .written import DONE, LEASE, Written, number


def two_holders(w: Written) -> Rows:
    w.claim(A, "t")
    w.claim(B, "t")
    w.run(A, "t")
    w.finish(A, "t")
    return {"t": DONE}


def finished_under_a_lost_holder(w: Written) -> Rows:
    w.claim(A, "t")
    w.start(A, "t")
    w.dies(1, 2, "t")
    w.claim(B, "t", losses=1)
    w.start(B, "t")
    w.finish(A, "t", 1)
    w.finish(B, "t", 0)
    return {"t": DONE._replace(losses=1)}


def told_to_be_lost_and_was_not(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t")
    w.finish(A, "t", 0)
    return {"t": DONE}


def started_without_a_claim(w: Written) -> Rows:
    w.claim(A, "t")
    w.release(A, "t")
    w.run(A, "t")
    return {"t": Row()}


def started_after_it_was_taken_back(w: Written) -> Rows:
    w.claim(A, "t")
    w.release(A, "t", pid=10)
    w.start(A, "t")
    return runs_again(w)


def a_number_used_twice(w: Written) -> Rows:
    w.claim(A)
    w.claim(A, "t")
    w.run(A, "t")
    w.finish(A, "t")
    return {"t": DONE}


def a_row_is_gone(w: Written) -> Rows:
    w.claim(A, "t")
    return {}


def left_in_progress(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t", good=False)
    w.finish(A, "t", good=False)
    return {"t": Row(PROGRESS, attempt=1)}


def a_retry_is_lost(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t", good=False)
    w.finish(A, "t", good=False)
    return {"t": Row(FAILED, attempt=1, finished=True, slot=False)}


def a_retry_too_many(w: Written) -> Rows:
    fails_and_is_tried_again(w)
    return {"t": Row(SCHEDULED, attempt=2)}


def an_end_keeps_its_slot(w: Written) -> Rows:
    runs_once(w)
    return {"t": DONE, "u": DONE._replace(slot=True)}


def a_neighbour_that_never_started_has_a_loss(w: Written) -> Rows:
    w.claim(A, "t", "u")
    w.start(A, "t")
    w.lose(A, "t")
    w.lose(A, "u")
    return {"t": Row(losses=1), "u": Row(losses=1)}


def a_loss_of_a_living_runner(w: Written) -> Rows:
    w.claim(A, "t")
    w.start(A, "t")
    w.lose(A, "t")
    w.claim(A2)
    return {"t": Row(losses=1)}


def done_and_run_again(w: Written) -> Rows:
    w.claim(A, "t", "u")
    w.run(A, "t")
    w.start(A, "u")
    w.release(A, "t", pid=10)
    w.lose(A, "u")
    return {"t": Row(), "u": Row(losses=1)}


def released_while_it_runs(w: Written) -> Rows:
    w.claim(A, "t")
    w.start(A, "t")
    w.release(A, "t", pid=10)
    w.say("end", pid=11, holder=A, tasks=("t",))
    return {"t": Row()}


def released_after_its_finish(w: Written) -> Rows:
    runs_once(w)
    w.release(A, "t", 1)
    return {"t": Row(), "u": DONE}


def finished_and_never_started(w: Written) -> Rows:
    w.claim(A, "t")
    w.finish(A, "t")
    return {"t": DONE}


def repeated_without_a_death(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t")
    w.run(A, "t")
    w.finish(A, "t")
    return {"t": DONE}


def declared_dead_within_its_lease(w: Written) -> Rows:
    w.claim(A, "t")
    w.wait(LEASE / 2)
    w.declare(1, 2)
    w.rescue(1, 2, "t")
    return {"t": Row(losses=1)}


def rescued_from_the_living(w: Written) -> Rows:
    w.claim(A, "t")
    w.rescue(1, 2, "t")
    return {"t": Row(losses=1)}


def beats_on_after_its_death(w: Written) -> Rows:
    w.dies(1, 2)
    w.beat(1)
    return {}


def claims_after_its_death(w: Written) -> Rows:
    w.dies(1, 2)
    w.claim(A, "t")
    w.release(A, "t")
    return {"t": Row()}


def a_loss_more_than_allowed(w: Written) -> Rows:
    w.claim(A, "t")
    w.start(A, "t")
    w.lose(A, "t")
    w.claim(B, "t", losses=1)
    w.start(B, "t")
    w.lose(B, "t")
    return {"t": Row(QUEUED, losses=2)}


def a_loss_in_a_batch(w: Written) -> Rows:
    its_runner_dies(w)
    w.events[-6] = w.events[-6]._replace(answer=[["t", 0, 1], ["v", 0, 0]], tasks=("t", "v"))
    w.release(number(2, 2), "v")
    return {"done": DONE, "u": DONE, "t": DONE._replace(losses=1), "v": Row()}


def two_losses_at_once(w: Written) -> Rows:
    rows = its_worker_is_suspended(w)
    for task, count in (("a", 7), ("b", 8)):
        w.claim(number(2, count), task, losses=1)
        w.start(number(2, count), task)
    return rows


def a_loss_forgotten(w: Written) -> Rows:
    its_runner_dies(w)
    w.events[-6] = w.events[-6]._replace(answer=[["t", 0, 0]])
    return {"done": DONE, "u": DONE, "t": DONE}


def claimed_after_a_cancel(w: Written) -> Rows:
    w.say("cancel", pid=1, tasks=("t",), answer=[1])
    return runs_again(w)


BAD = [
    (two_holders, onlooker.ONE_HOLDER),
    (finished_under_a_lost_holder, onlooker.STALE),
    (told_to_be_lost_and_was_not, TOLD),
    (started_without_a_claim, onlooker.ONE_HOLDER),
    (started_after_it_was_taken_back, onlooker.ONE_HOLDER),
    (a_number_used_twice, NUMBER_ONCE),
    (a_row_is_gone, onlooker.NOTHING_LOST),
    (left_in_progress, onlooker.NOTHING_LOST),
    (a_retry_is_lost, onlooker.NOTHING_LOST),
    (a_retry_too_many, onlooker.NOTHING_LOST),
    (an_end_keeps_its_slot, onlooker.NOTHING_LOST),
    (a_neighbour_that_never_started_has_a_loss, UNMARKED),
    (a_loss_of_a_living_runner, LIVING),
    (done_and_run_again, DONE_STAYS),
    (released_while_it_runs, LIVING),
    (released_after_its_finish, onlooker.STALE),
    (finished_and_never_started, UNMARKED),
    (repeated_without_a_death, onlooker.NEIGHBOUR),
    (declared_dead_within_its_lease, LEASED),
    (rescued_from_the_living, NOT_DEAD),
    (beats_on_after_its_death, DEAD_IS_DEAD),
    (claims_after_its_death, DEAD_IS_DEAD),
    (a_loss_more_than_allowed, onlooker.NOTHING_LOST),
    (a_loss_in_a_batch, ALONE),
    (two_losses_at_once, ALONE),
    (a_loss_forgotten, TOLD),
    (claimed_after_a_cancel, TOLD),
]
