"""The machine with its workers connected, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings

from django_simple_queue.backends import OwnSession, Session

from .actors import Actor, be_impatient, close
from .machine import QueueMachine
from .rows import MAX_LOSSES
from .table import WORKERS


@contextmanager
def on_stage() -> Iterator[type[QueueMachine]]:
    """A failed run waits for nothing before its next attempt, so that it can come again in the same example."""
    actors = [Actor(f"worker {number}") for number in range(WORKERS)]
    keeper = OwnSession(wait=0)
    rules = override_settings(DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF=0, DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES=MAX_LOSSES)
    try:
        be_impatient(keeper)
        be_impatient(Session())
        with rules:
            yield type("Machine", (QueueMachine,), {"actors": actors, "keeper": keeper})
    finally:
        close(actors)
        keeper.close()
