"""The rules themselves: one small function for each row of the table of states, and for the board.

A broken rule is a subclass that replaces exactly one of them (see broken.py).
"""

from __future__ import annotations

from .state import (
    CANCELLED,
    COMPLETED,
    CURRENT,
    DONE,
    ENDS,
    FAILED,
    FOR_CANCEL,
    FOR_TIMEOUT,
    GONE,
    GOOD,
    NOBODY,
    NUMBERS,
    PROGRESS,
    QUEUED,
    SCHEDULED,
    UP,
    Page,
    Row,
    State,
    Worker,
    numbers_in_use,
    owner,
)


class Rules:
    """What the queue may do. Every method is pure."""

    mark_first = True  # a runner marks the start, then looks; the keeper marks "taken", then looks
    keeper_marks_first = True
    new_number_each_time = True  # a claim of unknown outcome is not repeated under its number
    rows_first = True  # the sweep reads the rows, then the pages
    look_before_kill = True  # stop the runner and look at its page again before killing it

    def __init__(self, max_losses: int = 2, max_attempts: int = 2) -> None:
        self.max_losses = max_losses
        self.max_attempts = max_attempts

    # ---- rows: enqueue is a new Row() ----

    def promote(self, row: Row) -> Row:
        """A due row enters the claim index."""
        return row._replace(status=QUEUED) if row.status == SCHEDULED and not row.holder else row

    def claimable(self, row: Row) -> bool:
        """The guard of a claim, read and written in one transaction."""
        return row.status == QUEUED and not row.holder

    def batch(self, rows: tuple[Row, ...], size: int, flag: bool) -> list[int]:
        """Up to `size` rows in claim order: those before the first with a loss, or that one alone.

        Without its flag up a runner passes over rows with a loss.
        """
        picked: list[int] = []
        for task, row in enumerate(rows):
            if not self.claimable(row):
                continue
            if row.losses:
                if not flag:
                    continue
                return picked or [task]
            picked.append(task)
            if len(picked) == size:
                break
        return picked

    def guard(self, row: Row, alone: bool) -> bool:
        """Re-checked on the write of a claim that read its candidates earlier: losses as they were read."""
        return self.claimable(row) and bool(row.losses) == alone

    def claim(self, row: Row, number: int) -> Row:
        """PROGRESS under the number; a row that somebody put back starts anew."""
        row = row._replace(status=PROGRESS, holder=number, asked=False)
        return row._replace(attempt=0, losses=0, finished=False) if row.finished else row

    def unheld(self, row: Row) -> Row:
        """The holder goes; an end is then complete."""
        row = row._replace(holder=0)
        return row._replace(finished=True, slot=False, by_hand=0) if row.status in ENDS else row

    def finish(self, row: Row, number: int, good: bool) -> Row:
        """What became of a run; a status that a person set meanwhile stays."""
        if row.holder != number:
            return row
        if row.status == QUEUED:  # runs once more, and anew
            return self.unheld(row._replace(finished=True))
        if row.status != PROGRESS:
            return self.unheld(row)
        if good:
            return self.unheld(row._replace(status=COMPLETED))
        row = row._replace(attempt=row.attempt + 1)
        if row.asked:
            return self.unheld(row._replace(status=CANCELLED))
        again = row.attempt < self.max_attempts
        return self.unheld(row._replace(status=SCHEDULED if again else FAILED))

    def release(self, row: Row, number: int) -> Row:
        """Given back unstarted: nothing is counted."""
        if row.holder != number:
            return row
        if row.status == PROGRESS:
            row = row._replace(status=CANCELLED if row.asked else QUEUED)
        return self.unheld(row)

    def rescue(self, row: Row, number: int) -> Row:
        """Taken back from the dead, whatever the status: one loss."""
        if row.holder != number:
            return row
        row = row._replace(losses=row.losses + 1)
        if row.status == PROGRESS:
            if row.asked:
                row = row._replace(status=CANCELLED)
            else:
                row = row._replace(status=FAILED if row.losses >= self.max_losses else QUEUED)
        return self.unheld(row)

    def by_number_alone(self, page: Page) -> bool:
        """Whether one comparison of the holder may finish all of a batch: only if all of it is done."""
        return all(item.stage in DONE for item in page.items)

    def settle(self, row: Row, page: Page, stage: int) -> Row:
        """A dead runner's task, by what its page says of it."""
        if stage in DONE:
            return self.finish(row, page.number, stage == GOOD)
        if stage in CURRENT:
            if page.death == FOR_TIMEOUT or (page.death == FOR_CANCEL and row.asked):
                return self.finish(row, page.number, False)
            return self.rescue(row, page.number)
        return self.release(row, page.number)

    def tidy(self, row: Row) -> Row:
        """An end that a person set is put in order."""
        if row.status in ENDS and not row.holder and (row.slot or not row.finished):
            return self.unheld(row)
        return row

    def cancel(self, row: Row) -> Row:
        """cancel_task: at once where nobody holds it, else a request."""
        if row.status in ENDS:
            return row
        if not row.holder:
            return self.unheld(row._replace(status=CANCELLED))
        return row._replace(status=PROGRESS, asked=True)

    def retry(self, row: Row) -> Row:
        """retry_task: an end that nobody holds starts anew and takes its slot again."""
        if row.status not in ENDS or row.holder:
            return row
        return row._replace(status=QUEUED, attempt=0, losses=0, finished=False, slot=True)

    def save(self, row: Row, copy: Row, wish: int | None) -> Row:
        """Task.save() of a copy read earlier: only what was changed on it, never what is ours."""
        if wish is None or wish == copy.status:
            return row
        return row._replace(status=wish)

    # ---- workers, runners, boards ----

    def next_number(self, state: State, p: int, r: int) -> int:
        """A number for a claim that nothing carries any more (the real one counts up)."""
        used = numbers_in_use(state)
        serial = next(n for n in range(1, NUMBERS) if n not in used)
        return (p + 1) * NUMBERS + serial

    def may_send(self, worker: Worker) -> bool:
        """No claim is sent after the deadline on the control page."""
        return worker.leased

    def may_fly_the_flag(self, worker: Worker, r: int) -> bool:
        """One task with a loss at a time: the flag goes up, unless another page shows one."""
        return not any(page.alone for other, page in enumerate(worker.pages) if other != r)

    def makes_room(self, worker: Worker, r: int) -> bool:
        """Whether a runner may claim at all beside what the others of its worker do."""
        return True

    def lands(self, state: State, number: int) -> bool:
        """A claim is conditional on its Worker row being alive."""
        return owner(number) != NOBODY - 1 and state.workers[owner(number)].known

    def may_start(self, worker: Worker, p: int, number: int) -> bool:
        """Nothing starts after the deadline, nor under an id that the control page no longer names."""
        return worker.leased and owner(number) == p

    def beat(self, worker: Worker) -> Worker | None:
        """The lease runs again; None if the Worker row was declared dead: register anew."""
        return worker._replace(leased=True) if worker.known else None

    def may_declare(self, worker: Worker) -> bool:
        """Only who has not beaten for a whole lease is declared dead."""
        return worker.process != UP or not worker.leased

    def to_rescue(self, state: State, row: Row) -> bool:
        """Held under the id of a dead or missing worker, whatever the status."""
        if not row.holder:
            return False
        p = owner(row.holder)
        return p == NOBODY - 1 or not state.workers[p].known

    def strays(self, state: State, p: int, numbers: set[int]) -> list[int]:
        """Tasks held in the name of worker p under a number that is on none of its pages."""
        held = [(task, row.holder) for task, row in enumerate(state.rows) if row.holder]
        return [task for task, number in held if owner(number) == p and number not in numbers]

    def replaceable(self, worker: Worker) -> bool:
        """Where a worker died whole a fresh one may start."""
        return worker.process == GONE
