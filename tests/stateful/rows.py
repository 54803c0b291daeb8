"""What the table of states says, row by row, in plain Python: the oracle of the machine."""

from __future__ import annotations

import dataclasses

from django_simple_queue.states import CANCELLED, COMPLETED, ENDS, FAILED, PROGRESS, QUEUED, SCHEDULED, UNFINISHED

MAX_LOSSES = 2


@dataclasses.dataclass
class Row:
    """A task as its columns should be: `done` is finished_at, `asked` cancel_requested, `keyed` a taken unique_slot."""

    status: int = QUEUED
    holder: int | None = None
    attempt: int = 0
    losses: int = 0
    max_attempts: int = 1
    done: bool = False
    asked: bool = False
    keyed: bool = False
    key: str | None = None

    @property
    def claimable(self) -> bool:
        return self.status == QUEUED and self.holder is None

    @property
    def alone(self) -> bool:
        """It has a loss, so it is claimed alone."""
        return self.losses > 0 and not self.done

    def claim(self, number: int) -> None:
        if self.done:
            self.attempt = self.losses = 0
        self.status, self.holder, self.done, self.asked = PROGRESS, number, False, False

    def finish(self, *, good: bool) -> None:
        if not good:
            self.attempt += 1
        if good:
            target = COMPLETED
        elif self.asked:
            target = CANCELLED
        else:
            target = SCHEDULED if self.attempt < self.max_attempts else FAILED
        put_back = self.status in (QUEUED, SCHEDULED)
        self.let_go(target)
        self.done = self.done or put_back

    def release(self) -> None:
        self.let_go(CANCELLED if self.asked else QUEUED)

    def lose(self) -> None:
        last = self.losses + 1 >= MAX_LOSSES
        self.let_go(CANCELLED if self.asked else FAILED if last else QUEUED)
        self.losses += 1

    def let_go(self, target: int) -> None:
        if self.status == PROGRESS:
            self.status = target
        self.holder = None
        if self.status in ENDS:
            self.end()

    def end(self) -> None:
        self.done, self.keyed = True, False

    def promote(self) -> None:
        if self.status == SCHEDULED and self.holder is None:
            self.status = QUEUED

    def tidy(self) -> None:
        if self.status in ENDS and self.holder is None and not self.done:
            self.end()

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

    def retry(self, *, key_is_free: bool) -> bool:
        if self.holder is not None or self.status in (QUEUED, SCHEDULED) or not key_is_free:
            return False
        self.status, self.attempt, self.losses, self.done, self.asked = QUEUED, 0, 0, False, False
        self.keyed = self.key is not None
        return True
