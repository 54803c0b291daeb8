"""Rows of the table of states, each wrong in one place."""

from __future__ import annotations

from . import onlooker
from .broken import Broken
from .state import (
    FAILED,
    PROGRESS,
    QUEUED,
    SCHEDULED,
    Row,
    State,
    owner,
)


class FinishWithoutHolder(Broken):
    """The row is finished by its id alone."""

    violates, found_in = onlooker.STALE, "suspended"

    def finish(self, row: Row, number: int, good: bool) -> Row:
        return super().finish(row, row.holder, good)


class ReleaseWithoutHolder(Broken):
    """What has not started is given back by id alone, whoever has it now."""

    violates, found_in = onlooker.STALE, "suspended"

    def release(self, row: Row, number: int) -> Row:
        return super().release(row, row.holder)


class RescueByStatusOnly(Broken):
    """Whatever is in PROGRESS is taken back."""

    violates, found_in = onlooker.ONE_HOLDER, "crashes"

    def to_rescue(self, state: State, row: Row) -> bool:
        return row.status == PROGRESS


class RescueOfProgressOnly(Broken):
    """A row that a person re-queued while it was held stays with the dead."""

    violates, found_in = onlooker.NOTHING_LOST, "persons"

    def to_rescue(self, state: State, row: Row) -> bool:
        return row.status == PROGRESS and super().to_rescue(state, row)


class RescueForgetsMissing(Broken):
    """Only rows under a Worker row that says dead are seen, not those whose Worker row is gone."""

    violates, found_in = onlooker.NOTHING_LOST, "crashes"

    def to_rescue(self, state: State, row: Row) -> bool:
        return bool(row.holder) and owner(row.holder) < len(state.workers) and super().to_rescue(state, row)


class RescueIgnoresCancel(Broken):
    """A task that was to be cancelled is put back into the queue when its worker dies."""

    violates, found_in = onlooker.CANCEL, "persons"

    def rescue(self, row: Row, number: int) -> Row:
        return super().rescue(row._replace(asked=False), number)


class RescueOverrulesPerson(Broken):
    """At MAX_WORKER_LOSSES the row is FAILED although a person has re-queued it."""

    violates, found_in = onlooker.PERSON, "killer put back"

    def rescue(self, row: Row, number: int) -> Row:
        after = super().rescue(row, number)
        if after != row and after.status == QUEUED and after.losses >= self.max_losses:
            return self.unheld(after._replace(status=FAILED))
        return after


class FinishOverrulesPerson(Broken):
    """A run's end overwrites what a person has set meanwhile."""

    violates, found_in = onlooker.PERSON, "persons"

    def finish(self, row: Row, number: int, good: bool) -> Row:
        return super().finish(row._replace(status=PROGRESS), number, good) if row.holder == number else row


class LossNotCounted(Broken):
    """A rescue gives the row back and forgets the loss."""

    violates, found_in = onlooker.KILLER, "killer"

    def rescue(self, row: Row, number: int) -> Row:
        return super().rescue(row._replace(losses=-1), number) if row.holder == number else row


class ClaimWithoutHolderCheck(Broken):
    """QUEUED is enough: a re-queued row is claimed from under its runner."""

    violates, found_in = onlooker.ONE_HOLDER, "persons"

    def claimable(self, row: Row) -> bool:
        return row.status == QUEUED


class ClaimOfLossesInBatch(Broken):
    """A task with a loss is claimed together with others."""

    violates, found_in = onlooker.NEIGHBOUR, "killer"

    def batch(self, rows: tuple[Row, ...], size: int, flag: bool) -> list[int]:
        return [task for task, row in enumerate(rows) if self.claimable(row)][:size]


class GuardWithoutLosses(Broken):
    """A claim that read a row before its loss takes it afterwards, in a batch and without the flag."""

    violates, found_in = onlooker.NEIGHBOUR, "killer, claims by halves"

    def guard(self, row: Row, alone: bool) -> bool:
        return self.claimable(row)


class SaveWritesHolder(Broken):
    """Task.save() writes every column of a copy that was read earlier."""

    violates, found_in = onlooker.ONE_HOLDER, "stale copy"

    def save(self, row: Row, copy: Row, wish: int | None) -> Row:
        return copy if wish is None else copy._replace(status=wish)


class SaveWritesStatus(Broken):
    """Task.save() writes the status although nobody changed it on the copy."""

    violates, found_in = onlooker.NOTHING_LOST, "stale copy"

    def save(self, row: Row, copy: Row, wish: int | None) -> Row:
        return row._replace(status=copy.status if wish is None else wish)


class RetryNotPromoted(Broken):
    """A task that waits for its next attempt waits for ever."""

    violates, found_in = onlooker.NOTHING_LOST, "retries"

    def promote(self, row: Row) -> Row:
        return row


class RetryLost(Broken):
    """A failed run drops its holder and leaves PROGRESS behind."""

    violates, found_in = onlooker.NOTHING_LOST, "retries"

    def finish(self, row: Row, number: int, good: bool) -> Row:
        after = super().finish(row, number, good)
        return after._replace(status=PROGRESS) if after.status == SCHEDULED else after


class RetryLooksFinished(Broken):
    """finished_at is set between two attempts: the next one starts anew, and so for ever."""

    violates, found_in = onlooker.ENDS_IN_ORDER, "retries"

    def finish(self, row: Row, number: int, good: bool) -> Row:
        after = super().finish(row, number, good)
        return after._replace(finished=True) if after.status == SCHEDULED else after


class SlotKept(Broken):
    """An end keeps its unique_slot: the key is taken for ever."""

    violates, found_in = onlooker.ENDS_IN_ORDER, "crashes"

    def unheld(self, row: Row) -> Row:
        return super().unheld(row)._replace(slot=row.slot)


class NoTidy(Broken):
    """An end that a person set keeps its slot and has no finished_at."""

    violates, found_in = onlooker.ENDS_IN_ORDER, "persons"

    def tidy(self, row: Row) -> Row:
        return row
