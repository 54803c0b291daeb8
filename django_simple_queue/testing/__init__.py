"""For projects' tests: run queued tasks in this process, inside a TestCase's transaction too."""

from __future__ import annotations

import itertools
import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..api import queue_alias
from ..backends import Session, get_strategy
from ..conf import get_settings
from ..queue import finish, upkeep, workers
from ..queue.claim import Claimer, claim
from ..queue.control import stored_id
from ..records import HOLDERS_PER_WORKER, Claim, Outcome, as_uuid
from ..states import COMPLETED
from ..worker import capture, listeners
from ..worker.atomic import run_atomically
from ..worker.executor import Executor


def run_tasks(*, using: str | None = None, queue: str | None = None, limit: int | None = None) -> int:
    """Run what is runnable now, one task after the other, until nothing is; how many ran.

    Signals are sent. A task's Exception is stored, not raised; KeyboardInterrupt passes through.
    """
    ran = 0
    with _here(using) as here:
        while limit is None or ran < limit:
            upkeep.promote(here.strategy)
            if not here.run_one([queue] if queue else []):
                break
            ran += 1
    return ran


def run_task(task_id: uuid.UUID | str, *, using: str | None = None) -> bool:
    """Run one task in this process if it is QUEUED and not held. False if it is not."""
    with _here(using) as here:
        return here.run_one([], only=as_uuid(task_id))


class _Here:
    """A worker that is this process, on the calling thread's connection."""

    def __init__(self, alias: str) -> None:
        self.session = Session(alias)
        self.strategy = get_strategy(session=self.session)
        self.id = workers.register(self.session, name="run_tasks", host=socket.gethostname(), pid=os.getpid(), runs="")
        self.numbers = itertools.count(self.id * HOLDERS_PER_WORKER)

    def run_one(self, queues: Sequence[str], only: uuid.UUID | None = None) -> bool:
        key = None if only is None else stored_id(self.session, only)
        claims = claim(self.strategy, Claimer(self.id, "run_tasks", next(self.numbers), only=key), 1, queues)
        for found in claims:
            _run(self.session, found)
        return bool(claims)


@contextmanager
def _here(using: str | None) -> Iterator[_Here]:
    here = _Here(using or queue_alias())
    try:
        with capture.installed():
            yield here
    finally:
        workers.leave(here.session, here.id)


def _run(session: Session, found: Claim) -> None:
    def show(claim: Claim, text: str) -> None:
        finish.show_output(session, claim, text)

    executor = Executor(session.alias, show=show, atomically=run_atomically, own_process=False)
    outcome = executor.run(found, lambda: False)
    if not outcome.stored:
        finish.finish(session, [(found, outcome)])
    if isinstance(executor.error, KeyboardInterrupt):
        raise executor.error
    _tell(session, found, outcome, executor.error)


def _tell(session: Session, found: Claim, outcome: Outcome, error: BaseException | None) -> None:
    if outcome.status == COMPLETED:
        listeners.on_success(found, session.alias)
    elif outcome.is_last(found, get_settings().max_attempts):
        listeners.on_failure(found, session.alias, error)
