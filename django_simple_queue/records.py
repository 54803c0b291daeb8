"""What travels between the layers: plain immutable records, no database and no model."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from .states import COMPLETED, FAILED

# A claim's number is its worker's id times this, plus a count.
HOLDERS_PER_WORKER = 2**32


def worker_of(holder: int) -> int:
    """The id of the worker whose claim has this number."""
    return holder // HOLDERS_PER_WORKER


def numbers_of(worker_id: int) -> dict[str, int]:
    """The first and last number of a worker's claims, as the parameters low and high."""
    low = worker_id * HOLDERS_PER_WORKER
    return {"low": low, "high": low + HOLDERS_PER_WORKER - 1}


def as_uuid(key: Any) -> uuid.UUID:
    """A primary key as any driver gives it, or a person writes it."""
    return key if isinstance(key, uuid.UUID) else uuid.UUID(str(key))


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
        return as_uuid(self.id)


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
