"""Rules that are wrong in exactly one place each, and the invariant that each violates.

The search has to find every one of them out: it is the test of the test.
"""

from __future__ import annotations

from . import onlooker
from .rules import Rules
from .state import (
    CURRENT,
    DONE,

    FAILED,
    NUMBERS,
    PROGRESS,
    QUEUED,
    SCHEDULED,
    Page,
    Row,
    State,
    Worker,
    owner,
)


class Broken(Rules):
    """One rule replaced; `violates` names the invariant, `found_in` the scenario that shows it."""

    violates = ""
    found_in = ""


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


class ClaimUnderDeadId(Broken):
    """A claim lands whether or not its Worker row is alive."""

    violates, found_in = onlooker.NEIGHBOUR, "late, suspended"

    def lands(self, state: State, number: int) -> bool:
        return True


class ClaimOfLossesInBatch(Broken):
    """A task with a loss is claimed together with others."""

    violates, found_in = onlooker.NEIGHBOUR, "killer"

    def batch(self, rows: tuple[Row, ...], size: int, flag: bool) -> list[int]:
        return [task for task, row in enumerate(rows) if self.claimable(row)][:size]


class TwoLossesAtOnce(Broken):
    """Nobody looks at the flags of the other runners."""

    violates, found_in = onlooker.NEIGHBOUR, "killer"

    def may_fly_the_flag(self, worker: Worker, r: int) -> bool:
        return True


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


class LossesForWholeBatch(Broken):
    """When a runner dies, all that it held takes a loss."""

    violates, found_in = onlooker.NEIGHBOUR, "crashes"

    def settle(self, row: Row, page: Page, stage: int) -> Row:
        return super().settle(row, page, stage) if stage in DONE | CURRENT else self.rescue(row, page.number)


class SettleForgetsDone(Broken):
    """What a dead runner had done and not flushed is released, and so repeated."""

    violates, found_in = onlooker.NEIGHBOUR, "crashes"

    def settle(self, row: Row, page: Page, stage: int) -> Row:
        return super().settle(row, page, stage) if stage in CURRENT else self.release(row, page.number)


class DeadBeatsOn(Broken):
    """A worker that was declared dead beats as if nothing had happened."""

    violates, found_in = onlooker.ONE_HOLDER, "suspended"

    def beat(self, worker: Worker) -> Worker | None:
        return worker._replace(known=True, leased=True)


class DeclareTheLiving(Broken):
    """A worker is declared dead though it beats within its lease."""

    violates, found_in = onlooker.ONE_HOLDER, "crashes"

    def may_declare(self, worker: Worker) -> bool:
        return True


class StartAfterDeadline(Broken):
    """A runner starts what it claimed without a look at the deadline."""

    violates, found_in = onlooker.ONE_HOLDER, "suspended"

    def may_start(self, worker: Worker, p: int, number: int) -> bool:
        return owner(number) == p


class StartUnderOldId(Broken):
    """A runner looks at the deadline, but not whose deadline it is."""

    violates, found_in = onlooker.ONE_HOLDER, "suspended"

    def may_start(self, worker: Worker, p: int, number: int) -> bool:
        return worker.leased


class ReusedNumber(Broken):
    """A number that no page shows any more is used again, though rows or late statements carry it."""

    violates, found_in = onlooker.NOTHING_LOST, "late"

    def next_number(self, state: State, p: int, r: int) -> int:
        shown = {page.number % NUMBERS for worker in state.workers for page in worker.pages}
        return (p + 1) * NUMBERS + next(n for n in range(1, NUMBERS) if n not in shown)


class ClaimRepeated(Broken):
    """A claim of unknown outcome is sent again under its number."""

    violates, found_in = onlooker.NOTHING_LOST, "late"
    new_number_each_time = False


class NoSweep(Broken):
    """Nobody gives back what a late claim has taken."""

    violates, found_in = onlooker.NOTHING_LOST, "sweep by halves"

    def strays(self, state: State, p: int, numbers: set[int]) -> list[int]:
        return []


class SweepReadsPagesFirst(Broken):
    """The sweep reads the pages, then the rows: a claim in between looks like a stray."""

    violates, found_in = onlooker.ONE_HOLDER, "sweep by halves"
    rows_first = False


class RunnerLooksFirst(Broken):
    """A runner looks whether a task was taken, and marks the start afterwards."""

    violates, found_in = onlooker.ONE_HOLDER, "start by halves"
    mark_first = False


class KeeperLooksFirst(Broken):
    """The keeper looks what has not started, and gives it back without looking again."""

    violates, found_in = onlooker.ONE_HOLDER, "start by halves"
    keeper_marks_first = False


class KillWithoutLook(Broken):
    """A runner is killed for a task that it may have left behind by then."""

    violates, found_in = onlooker.NEIGHBOUR, "cancel by kill"
    look_before_kill = False


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


BROKEN: tuple[type[Broken], ...] = tuple(Broken.__subclasses__())


