"""Rules of workers, runners and boards, each wrong in one place."""

from __future__ import annotations

from . import onlooker
from .broken import Broken
from .state import (
    CURRENT,
    DONE,
    NUMBERS,
    Page,
    Row,
    State,
    Worker,
    owner,
)


class ClaimUnderDeadId(Broken):
    """A claim lands whether or not its Worker row is alive."""

    violates, found_in = onlooker.NEIGHBOUR, "late, suspended"

    def lands(self, state: State, number: int) -> bool:
        return True


class TwoLossesAtOnce(Broken):
    """Nobody looks at the flags of the other runners."""

    violates, found_in = onlooker.NEIGHBOUR, "killer"

    def may_fly_the_flag(self, worker: Worker, r: int) -> bool:
        return True


class LossesForWholeBatch(Broken):
    """When a runner dies, all that it held takes a loss."""

    violates, found_in = onlooker.NEIGHBOUR, "crashes"

    def settle(self, row: Row, page: Page, stage: int) -> Row:
        return super().settle(row, page, stage) if stage in DONE | CURRENT else self.rescue(row, page.number)


class BatchFinishedWithTaken(Broken):
    """The holder alone is compared although the keeper is about to give a part of the batch back."""

    violates, found_in = onlooker.NOTHING_LOST, "start by halves"

    def by_number_alone(self, page: Page) -> bool:
        return all(item.stage in DONE or item.taken for item in page.items)


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
