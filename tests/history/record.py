"""Writes down what this process does with the queue: an app that a worker's settings install.

One line of JSON for each event, appended atomically to the file that DSQ_HISTORY names. A statement is two lines, one
before it is sent and one once it is answered: without the second, nobody knows what became of it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import AppConfig

from django_simple_queue.records import as_uuid
from django_simple_queue.states import COMPLETED
from django_simple_queue.worker.board import clock

VARIABLE = "DSQ_HISTORY"
_serials = itertools.count(1)


class Recording(AppConfig):
    name = "tests.history"
    label = "history"

    def ready(self) -> None:
        if os.environ.get(VARIABLE):
            install()


def install() -> None:
    """Put a recorder around each function of the queue that a worker calls, and around user code."""
    from django_simple_queue.queue import control, finish, rescue, workers
    from django_simple_queue.worker import executor, intake, runner

    around(intake, "claim", claim)
    around(runner.Runner, "start", mark)
    around(executor.Executor, "run", run)
    around(runner.Runner, "keep", keep)
    around(runner, "run_atomically", finish_atomically)
    around(finish, "_finish_batch", finish_batch)
    around(finish, "_finish_one", finish_one)
    around(finish, "release", release)
    around(finish, "release_holder", release_all)
    around(rescue, "rescue_worker", rescue_worker)
    around(rescue, "lose_one", lose_one)
    around(workers, "register", register)
    for name in ("beat", "declare_dead", "leave"):
        around(workers, name, functools.partial(of_a_worker, name.removesuffix("_dead")))
    for name in ("cancel", "retry"):
        around(control, name, functools.partial(of_a_person, name))


def around(place: Any, name: str, recorder: Callable[..., Any]) -> None:
    """Replace `place.name` by the recorder, which is given the original first."""
    original = getattr(place, name)

    @functools.wraps(original)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        return recorder(original, *args, **kwargs)

    setattr(place, name, recorded)


# ---- lines ----


def write(**fields: Any) -> None:
    line = json.dumps({"at": clock(), "pid": os.getpid(), **fields}, separators=(",", ":"))
    handle = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


@contextmanager
def statement(op: str, **fields: Any) -> Iterator[Callable[[Any], None]]:
    """Something that is sent to the database; the block says what was answered. An error leaves that open."""
    number, answers = next(_serials), []
    write(n=number, op=op, **fields)
    try:
        yield answers.append
    except BaseException as error:
        write(n=number, error=type(error).__name__)
        raise
    write(n=number, answer=answers[0])


def task_of(claim: Any) -> str:
    return claim.uuid.hex


class Counting:
    """A session that remembers how many rows its last write changed."""

    def __init__(self, session: Any) -> None:
        self._session, self.changed = session, 0

    def write(self, *args: Any) -> int:
        self.changed = self._session.write(*args)
        return self.changed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class Noting:
    """A strategy that remembers what it took."""

    def __init__(self, strategy: Any) -> None:
        self._strategy, self.keys = strategy, []

    def take(self, *args: Any) -> list[Any]:
        rows = self._strategy.take(*args)
        self.keys += [as_uuid(row[0]).hex for row in rows]
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)


def told(count: int, of: int) -> int | None:
    """What a row count says of each row: 1 it was changed, 0 it was not, None one cannot say."""
    return 1 if count == of else 0 if not count else None


# ---- a runner ----


def claim(original: Any, strategy: Any, claimer: Any, *args: Any) -> Any:
    with statement("claim", holder=claimer.holder) as answer:
        claims = original(strategy, claimer, *args)
        answer([[task_of(each), each.attempt, each.losses] for each in claims])
    return claims


def mark(original: Any, runner: Any, slot: int, claim: Any) -> Any:
    """The start is about to stand on the board."""
    write(op="mark", holder=claim.holder, tasks=[task_of(claim)])
    return original(runner, slot, claim)


def run(original: Any, executor: Any, claim: Any, *args: Any) -> Any:
    write(op="start", holder=claim.holder, tasks=[task_of(claim)])
    outcome = original(executor, claim, *args)
    write(op="end", holder=claim.holder, tasks=[task_of(claim)], good=outcome.status == COMPLETED)
    return outcome


def keep(original: Any, runner: Any, run: Any) -> None:
    """Once this is written the task stands on the board as done."""
    original(runner, run)
    write(op="done", holder=run.claim.holder, tasks=[task_of(run.claim)])


def finish_atomically(original: Any, alias: str, claim: Any, run: Any) -> Any:
    """Finished with the commit of what the task wrote: sent once its code is through."""
    from django_simple_queue.exceptions import LeaseLost

    sent: list[int] = []

    def ran() -> Any:
        outcome = run()
        sent.append(next(_serials))
        write(n=sent[0], op="finish", holder=claim.holder, tasks=[task_of(claim)], good=True, final=False)
        return outcome

    try:
        outcome = original(alias, claim, ran)
    except LeaseLost:
        write(n=sent[0], answer=[0])
        raise
    write(n=sent[0], answer=[1])
    return outcome


# ---- whoever lets go of a task ----


def finish_batch(original: Any, session: Any, batch: Any) -> Any:
    counted, claims = Counting(session), [claim for claim, _ in batch]
    fields = {"holder": claims[0].holder, "tasks": [task_of(each) for each in claims], "good": True, "final": False}
    with statement("finish", **fields) as answer:
        lost = original(counted, batch)
        count = told(counted.changed, len(batch))
        answer([0 if each in lost else count for each in claims])
    return lost


def finish_one(original: Any, session: Any, claim: Any, outcome: Any) -> Any:
    if session.in_transaction:
        return original(session, claim, outcome)  # its commit decides: see finish_atomically
    good = outcome.status == COMPLETED
    with statement("finish", holder=claim.holder, tasks=[task_of(claim)], good=good, final=outcome.final) as answer:
        kept = original(session, claim, outcome)
        answer([int(kept)])
    return kept


def release(original: Any, session: Any, claims: Any) -> None:
    by_holder = defaultdict(list)
    for claim in claims:
        by_holder[claim.holder].append(claim)
    for holder, those in by_holder.items():
        counted = Counting(session)
        with statement("release", holder=holder, tasks=[task_of(each) for each in those]) as answer:
            original(counted, those)
            answer([told(counted.changed, len(those))] * len(those))


def release_all(original: Any, session: Any, holder: int) -> Any:
    with statement("release all", holder=holder) as answer:
        count = original(session, holder)
        answer(count)
    return count


def rescue_worker(original: Any, strategy: Any, worker_id: int, why: str) -> Any:
    noting = Noting(strategy)
    with statement("rescue", worker=worker_id) as answer:
        count = original(noting, worker_id, why)
        answer(noting.keys)
    return count


def lose_one(original: Any, session: Any, key: Any, holder: int, why: str) -> Any:
    with statement("lose", holder=holder, tasks=[as_uuid(key).hex]) as answer:
        status = original(session, key, holder, why)
        answer([int(status is not None)])
    return status


# ---- workers and persons ----


def register(original: Any, session: Any, **given: Any) -> Any:
    with statement("register") as answer:
        worker_id = original(session, **given)
        answer(worker_id)
    return worker_id


def of_a_worker(op: str, original: Any, session: Any, worker_id: int, *args: Any) -> Any:
    with statement(op, worker=worker_id) as answer:
        done = original(session, worker_id, *args)
        answer(done is not False)
    return done


def of_a_person(op: str, original: Any, session: Any, task_id: uuid.UUID) -> Any:
    with statement(op, tasks=[task_id.hex]) as answer:
        done = original(session, task_id)
        answer([int(done)])
    return done
