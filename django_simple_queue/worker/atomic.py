"""Atomic tasks: what a task writes on the queue's database and its completion are one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

from django.db import transaction

from ..backends import Session
from ..exceptions import LeaseLost
from ..queue import finish
from ..records import Claim, Outcome
from . import capture

logger = logging.getLogger("django_simple_queue.tasks")


def run_atomically(alias: str, claim: Claim, run: Callable[[], Outcome]) -> Outcome:
    """`run` and the finish of `claim` on the calling thread's connection: committed together, or not at all.

    Raises whatever `run` raises, and LeaseLost if the task was no longer held: then nothing is written.
    """
    session = Session(alias)
    committed = False

    def note() -> None:
        nonlocal committed
        committed = True

    try:
        with ExitStack() as stack:
            # Where there is one writer, another atomic task may be it for longer than a connection waits by itself.
            session.attempt(lambda: stack.enter_context(session.undoable()))
            transaction.on_commit(note, using=alias)  # before the task's own
            outcome = run()
            if not finish.finish_one(session, claim, outcome):
                raise LeaseLost(f"Task {claim.uuid} was no longer held when it ended: what it wrote is rolled back.")
    except BaseException:
        if not committed:
            raise
        capture.end()  # the task's row is written
        logger.exception("Task %s (%s) is COMPLETED, but its transaction.on_commit failed.", claim.uuid, claim.task)
    return outcome._replace(stored=True)
