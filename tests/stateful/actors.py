"""Who takes part: workers on connections of their own, which may stop anywhere."""

from __future__ import annotations

import itertools
import uuid
from contextlib import AbstractContextManager

from django.db import Error, connections

from django_simple_queue.backends import ClaimStrategy, OwnSession, Session, get_strategy
from django_simple_queue.backends.errors import Trouble, trouble
from django_simple_queue.queue import workers
from django_simple_queue.queue.claim import Claimer, claim
from django_simple_queue.records import HOLDERS_PER_WORKER, Claim

# One thread plays all parts, so nobody can wait for anybody: a locked row is an error at once, or soon.
IMPATIENT = {
    "postgresql": "SET lock_timeout = '20ms'",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
}
# With 0 the commit after a SKIP LOCKED that found all rows locked fails on MariaDB 10.11: error 1180.
AT_ONCE_WITHOUT_SKIP_LOCKED = {"mysql": "SET SESSION innodb_lock_wait_timeout = 0"}


def is_busy(error: Error) -> bool:
    return trouble(error) is Trouble.BUSY


class Actor:
    """A worker: its row, its connection, and what it believes to hold."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.session = OwnSession(wait=0)
        self.counter = itertools.count()
        self.open: AbstractContextManager[None] | None = None
        self.unsure: list[Claim] = []  # claimed in a transaction that is still open
        self.reset()

    def reset(self) -> None:
        """Connect and register anew; what was held is forgotten."""
        self.session.close()
        be_impatient(self.session)
        self.open, self.unsure = None, []
        self.holds: dict[uuid.UUID, Claim] = {}
        self.dead = False
        self.beats = 0
        self.watched: int | None = None  # beats that the others have seen
        self.id = workers.register(self.session, name=self.name, host="", pid=0, runs="")

    @property
    def strategy(self) -> ClaimStrategy:
        return get_strategy(session=self.session)

    def claim(self, limit: int, *, innocents_only: bool) -> list[Claim]:
        number = self.id * HOLDERS_PER_WORKER + next(self.counter)
        return claim(self.strategy, Claimer(self.id, self.name, number, innocents_only), limit)

    def begin(self) -> None:
        self.open = self.session.transaction()
        self.open.__enter__()

    def end(self, error: BaseException | None = None) -> list[Claim]:
        """Commit, or roll back for `error`; what was claimed meanwhile."""
        assert self.open is not None
        opened, self.open = self.open, None
        claims, self.unsure = self.unsure, []
        try:
            opened.__exit__(type(error) if error else None, error, None)
        except BaseException as raised:
            if raised is not error:
                raise
        return claims

    def disconnect(self) -> None:
        """The connection breaks, without a word to the server."""
        connection = self.session.connection
        raw, connection.connection = connection.connection, None
        if raw is not None:
            raw.close()
        self.open, self.unsure = None, []
        self.session._open = False
        self.session.close()
        be_impatient(self.session)


def be_impatient(session: Session) -> None:
    skips = session.connection.features.has_select_for_update_skip_locked
    known = IMPATIENT if skips else {**IMPATIENT, **AT_ONCE_WITHOUT_SKIP_LOCKED}
    if hurry := known.get(session.connection.vendor):
        session.write(hurry)


def close(actors: list[Actor]) -> None:
    for actor in actors:
        actor.session._open = False
        actor.session.close()
    connections["default"].close()
