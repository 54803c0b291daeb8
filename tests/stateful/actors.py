"""Who takes part: workers on connections of their own, which may stop anywhere."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager

from django.db import Error, connections

from django_simple_queue.backends import ClaimStrategy, OwnSession, Session, get_strategy
from django_simple_queue.backends.errors import Trouble, trouble
from django_simple_queue.queue import workers
from django_simple_queue.queue.claim import Claimer, claim
from django_simple_queue.records import Claim
from django_simple_queue.worker import board as b

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
    """A worker of one runner: its row, its board, its connection, and what it believes to hold."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.session = OwnSession(wait=0)
        self.board = b.Board(1)
        self.page = self.board.pages[0]
        self.open: AbstractContextManager[None] | None = None
        self.unsure: list[Claim] = []  # claimed in a transaction that is still open
        self.aside: list[uuid.UUID] = []  # set aside in it, as not yet due
        self.reset()

    def reset(self) -> None:
        """Connect and register anew; what was held is forgotten."""
        self.session.close()
        be_impatient(self.session)
        self.open, self.unsure, self.aside = None, [], []
        self.next_runner()
        self.watched: int | None = None  # beats that another keeper has seen
        self.id = workers.register(self.session, name=self.name, host="", pid=0, runs="")

    def next_runner(self) -> None:
        """A runner that holds nothing."""
        self.page.wipe()
        self.page.words[b.STATE] = b.PageState.LIVE
        self.holds: dict[uuid.UUID, Claim] = {}
        self.slots: dict[uuid.UUID, int] = {}

    @property
    def strategy(self) -> ClaimStrategy:
        return get_strategy(session=self.session)

    @property
    def pending(self) -> int:
        """The number of a claim whose outcome is not known."""
        return self.page.words[b.PENDING]

    def claim(self, limit: int, *, innocents_only: bool) -> list[Claim]:
        number = self.page.number_claim(self.id, len(self.board.pages))
        return claim(self.strategy, Claimer(self.id, self.name, number, innocents_only), limit)

    def give_up_claim(self) -> None:
        """Whatever it took belongs to nobody that knows of it."""
        self.page.words[b.PENDING] = 0

    def take(self, claims: list[Claim]) -> None:
        for slot, found in zip(self.page.put(claims, None), claims, strict=True):
            self.holds[found.uuid], self.slots[found.uuid] = found, slot

    def drop(self, found: Claim) -> None:
        self.page.empty(self.slots.pop(found.uuid))
        del self.holds[found.uuid]

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
        self.open, self.unsure, self.aside = None, [], []
        self.session._open = False
        self.session.close()
        be_impatient(self.session)


def be_impatient(session: Session) -> None:
    skips = session.connection.features.has_select_for_update_skip_locked
    known = IMPATIENT if skips else {**IMPATIENT, **AT_ONCE_WITHOUT_SKIP_LOCKED}
    if hurry := known.get(session.connection.vendor):
        session.write(hurry)


def waits_long(session: Session) -> bool:
    """Whether even so a locked row costs a second."""
    features = session.connection.features
    return session.connection.vendor in AT_ONCE_WITHOUT_SKIP_LOCKED and features.has_select_for_update_skip_locked


def close(actors: list[Actor]) -> None:
    for actor in actors:
        actor.session._open = False
        actor.session.close()
    connections["default"].close()
