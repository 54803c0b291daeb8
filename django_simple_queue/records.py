"""What travels between the layers: plain immutable records, no database and no model."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from .states import COMPLETED, FAILED


class Claim(NamedTuple):
    """One task as its runner needs it, complete: nothing is read again.

    `id` is the primary key as the database's driver gives it (UUID, hex or dashed text) and is passed back as it is.
    """

    id: Any
    task: str
    args: str | None
    queue: str
    rank: int
    seq: int
    attempt: int  # failed attempts so far
    losses: int
    max_attempts: int | None
    timeout: float | None  # seconds
    slotted: bool  # has a unique_slot, so it is finished apart from its batch
    holder: int

    @property
    def uuid(self) -> uuid.UUID:
        return self.id if isinstance(self.id, uuid.UUID) else uuid.UUID(str(self.id))


class Outcome(NamedTuple):
    """How a run ended. `status` is COMPLETED or FAILED; what becomes of the row is decided by `queue`."""

    status: int = COMPLETED
    output: str | None = None
    error: str | None = None
    log: str | None = None
    kind: str = "error"  # of a failure, for its Attempt row: error, timeout, cancel
    final: bool = False  # a failure that is not tried again, whatever attempts are left
    stored: bool = False  # committed already, with what the task wrote

    def is_last(self, claim: Claim, max_attempts: int) -> bool:
        """Whether this failure of `claim` ends its task; `max_attempts` applies where the task has none of its own."""
        return self.final or claim.attempt + 1 >= (claim.max_attempts or max_attempts)


PLAIN_SUCCESS = Outcome()


def failure(error: str, *, kind: str = "error", output: str | None = "", final: bool = False) -> Outcome:
    """A failed run that leaves `error`."""
    return Outcome(FAILED, output, error, None, kind, final)
