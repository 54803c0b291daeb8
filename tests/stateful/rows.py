"""What the table of states says, row by row, in plain Python: the oracle of the machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from django_simple_queue.records import Outcome
from django_simple_queue.states import (
    CANCELLED,
    COMPLETED,
    ENDS,
    FAILED,
    PROGRESS,
    QUEUED,
    SCHEDULED,
    UNFINISHED,
)

MAX_LOSSES = 2


@dataclasses.dataclass(eq=False)
class Row:
    """A task as its columns should be: `done` is finished_at, `asked` cancel_requested, `keyed` a taken unique_slot."""

    status: int = QUEUED
    holder: int | None = None
    attempt: int = 0
    losses: int = 0
    max_attempts: int = 1
    done: bool = False
    old: bool = False  # finished_at is long ago
    asked: bool = False
    keyed: bool = False
    key: str | None = None
    rank: int = 0
    place: int = 0  # in order of arrival; 0: inserted by 0.1.x
    ahead: bool = False  # run_after is to come
    expired: bool = False  # expires has passed
    output: str | None = None
    error: str | None = None  # a part of it
    tries: int = 0  # Attempt rows

    @property
    def claimable(self) -> bool:
        return self.status == QUEUED and self.holder is None and not self.expired

    @property
    def alone(self) -> bool:
        """It has a loss, so it is claimed alone."""
        return self.losses > 0 and not self.done

    @property
    def ended(self) -> bool:
        return self.status in ENDS and self.holder is None

    @property
    def rests(self) -> bool:
        """A run has ended it, and nobody has claimed it since."""
        return self.done and self.holder is None

    @property
    def turn(self) -> tuple[int, int]:
        return self.rank, self.place

    # ---- who holds it ----

    def claim(self, number: int) -> None:
        if self.done:
            self.attempt = self.losses = 0
            self.output = self.error = None
        self.status, self.holder, self.done, self.asked = PROGRESS, number, False, False

    def set_aside(self) -> None:
        """Met by a claim, but not due: as if claimed and put where it is promoted from."""
        self.claim(0)
        self.let_go(SCHEDULED)

    def finish(self, outcome: Outcome) -> None:
        put_back = self.status in (QUEUED, SCHEDULED)
        self.output, self.error = outcome.output, outcome.error
        target = COMPLETED
        if outcome.status == FAILED:
            self.attempt += 1
            self.tries += 1
            again = not outcome.final and self.attempt < self.max_attempts
            if again and self.status == PROGRESS:
                self.ahead = False  # the backoff is 0
            target = CANCELLED if self.asked else SCHEDULED if again else FAILED
        self.let_go(target)
        if put_back:
            self.done, self.old = True, False

    def release(self) -> None:
        self.let_go(CANCELLED if self.asked else QUEUED)

    def lose(self, why: str) -> None:
        last = self.losses + 1 >= MAX_LOSSES
        if last:
            self.error = why
        self.let_go(CANCELLED if self.asked else FAILED if last else QUEUED)
        self.losses += 1
        self.tries += 1

    def let_go(self, target: int) -> None:
        if self.status == PROGRESS:
            self.status = target
        self.holder = None
        if self.status in ENDS:
            self.end()

    def end(self) -> None:
        self.done, self.old, self.keyed = True, False, False

    # ---- what time brings ----

    @property
    def due(self) -> bool:
        return self.status == SCHEDULED and self.holder is None and not self.ahead

    def promote(self) -> None:
        if self.due:
            self.status = QUEUED

    def expire(self) -> None:
        if self.status in (QUEUED, SCHEDULED) and self.holder is None and self.expired:
            self.status, self.error = CANCELLED, "expired"
            self.end()

    def tidy(self) -> None:
        if self.ended and not self.done:
            self.end()

    def may_be_pruned(self, *, young_too: bool) -> bool:
        return self.ended and self.done and (self.old or young_too)

    # ---- what people do ----

    def cancel(self) -> bool:
        if self.holder is None:
            if self.status not in UNFINISHED:
                return False
            self.status = CANCELLED
            self.end()
            return True
        if self.status in (COMPLETED, FAILED):
            return False
        self.asked = True
        if self.status in UNFINISHED:
            self.status = PROGRESS
        return True

    def retry(self, place: int, *, key_is_free: bool) -> bool:
        if self.holder is not None or self.status in (QUEUED, SCHEDULED) or not key_is_free:
            return False
        self.status, self.attempt, self.losses, self.done, self.asked = QUEUED, 0, 0, False, False
        self.output = self.error = None
        self.keyed, self.place = self.key is not None, place
        return True

    def free_slot(self) -> None:
        """Another task wants its key, and it has ended by hand."""
        self.keyed = False
        if not self.done:
            self.end()

    def write(self, changes: dict[str, int | bool]) -> None:
        """What `.update()` does."""
        for name, value in changes.items():
            setattr(self, name, value)


class Batch(NamedTuple):
    """What a claim brings while nobody else claims."""

    taken: list[Row]
    aside: list[Row]  # not due: put where they are promoted from


def next_batch(rows: Iterable[Row], limit: int, *, innocents_only: bool) -> Batch:
    """In order; a task with a loss alone; past what is not due, until something is found or nothing is left."""
    waits = sorted((row for row in rows if row.claimable), key=lambda row: row.turn)
    aside: list[Row] = []
    while found := [row for row in waits if not (innocents_only and row.alone)][:limit]:
        first_alone = next((i for i, row in enumerate(found) if row.alone), len(found))
        found = found[: first_alone or 1]
        aside += [row for row in found if row.ahead]
        if taken := [row for row in found if not row.ahead]:
            return Batch(taken, aside)
        waits = [row for row in waits if row not in found]
    return Batch([], aside)
