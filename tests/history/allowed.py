"""Histories written by hand that the model allows: each ends with its rows."""

from __future__ import annotations

from tests.model.state import CANCELLED, FAILED, Row

from .written import DONE, Written, number

Rows = dict[str, Row]
A, B, A2 = number(1), number(2), number(1, 2)


def runs_once(w: Written) -> Rows:
    w.claim(A, "t", "u")
    for task in "tu":
        w.run(A, task)
        w.finish(A, task)
    return {"t": DONE, "u": DONE}


def fails_and_is_tried_again(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t", good=False)
    w.finish(A, "t", good=False)
    w.claim(B, "t", attempt=1)
    w.run(B, "t", good=False)
    w.finish(B, "t", good=False)
    return {"t": Row(FAILED, attempt=2, finished=True, slot=False)}


def its_runner_dies(w: Written) -> Rows:
    """The one that ran has a loss, what was done is stored, what had not begun is given back."""
    w.claim(A, "done", "t", "u")
    w.run(A, "done")
    w.start(A, "t")
    w.say("finish", pid=10, holder=A, tasks=("done",), answer=[1])
    w.lose(A, "t")
    w.release(A, "u", pid=10)
    w.claim(B, "u")
    w.run(B, "u")
    w.finish(B, "u")
    w.claim(number(2, 2), "t", losses=1)
    w.run(number(2, 2), "t")
    w.finish(number(2, 2), "t")
    return {"done": DONE, "u": DONE, "t": DONE._replace(losses=1)}


def its_worker_is_suspended(w: Written) -> Rows:
    """It comes back, ends its run and is told that it is too late; what it looked at in time it may even start."""
    w.claim(A, "t", "u")
    w.start(A, "t")
    w.dies(1, 2, "t", "u")
    w.claim(B, "t", losses=1)
    w.start(B, "t")
    w.start(A, "u")
    w.say("end", pid=11, holder=A, tasks=("t",))
    w.finish(A, "t", 0)
    w.release(A, "u", 0)
    w.say("end", pid=21, holder=B, tasks=("t",))
    w.finish(B, "t")
    w.claim(number(2, 2), "u", losses=1)
    w.run(number(2, 2), "u")
    w.finish(number(2, 2), "u")
    return {"t": DONE._replace(losses=1), "u": DONE._replace(losses=1)}


def a_claim_without_answer_is_swept(w: Written) -> Rows:
    w.claim(A, answered=False)
    w.say("release all", pid=10, holder=A, answer=1)
    return runs_again(w)


def runs_again(w: Written) -> Rows:
    w.claim(B, "t")
    w.run(B, "t")
    w.finish(B, "t")
    return {"t": DONE}


def a_claim_without_answer_costs_a_loss(w: Written) -> Rows:
    w.claim(A, answered=False)
    w.dies(1, 2, "t")
    w.claim(B, "t", losses=1)
    w.run(B, "t")
    w.finish(B, "t")
    return {"t": DONE._replace(losses=1)}


def a_finish_without_answer_is_repeated(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t")
    w.finish(A, "t", answered=False)
    w.finish(A, "t", 0)
    return {"t": DONE}


def a_finish_without_answer_never_arrived(w: Written) -> Rows:
    w.claim(A, "t")
    w.run(A, "t")
    w.finish(A, "t", answered=False)
    w.finish(A, "t", 1)
    return {"t": DONE}


def a_person_cancels_and_tries_again(w: Written) -> Rows:
    w.claim(A, "t")
    w.start(A, "t")
    w.say("cancel", pid=1, tasks=("t",), answer=[1])
    w.finish(A, "t", good=False)
    w.say("retry", pid=1, tasks=("t",), answer=[1])
    w.say("cancel", pid=1, tasks=("t",), answer=[1])
    return {"t": Row(CANCELLED, finished=True, slot=False, asked=True)}


def two_statements_overlap(w: Written) -> Rows:
    """A claim that was sent first and answered last came after the release that it overlaps."""
    w.claim(A, "t")
    w.claim(B, "t")
    w.release(A, "t")
    w.events[-2] = w.events[-2]._replace(answered=w.events[-1].last + 1)
    w.run(B, "t")
    w.finish(B, "t")
    return {"t": DONE}


GOOD = [
    runs_once,
    fails_and_is_tried_again,
    its_runner_dies,
    its_worker_is_suspended,
    a_claim_without_answer_is_swept,
    a_claim_without_answer_costs_a_loss,
    a_finish_without_answer_is_repeated,
    a_finish_without_answer_never_arrived,
    a_person_cancels_and_tries_again,
    two_statements_overlap,
]
