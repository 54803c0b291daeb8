"""What tests of leases share: rivals beside the holder, and the row itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connections

from django_simple_queue.claims import DbNow, LeaseLost, lease
from django_simple_queue.models import Lease

RIVAL = "rival"


def expire(name: str = "a") -> None:
    Lease.objects.filter(name=name).update(expires_at=DbNow() - timedelta(seconds=1))


def row(name: str = "a") -> Lease:
    return Lease.objects.get(name=name)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def is_held(held: lease) -> bool:
    try:
        held.check()
    except LeaseLost:
        return False
    return True


@contextmanager
def beside(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """`work` in a thread, with a connection of its own; what it gave back, or raised, is there at the end."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(60)
        assert not thread.is_alive()
