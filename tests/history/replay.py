"""One task's history through the model's own rules: is there an order, within the times, in which all of it fits?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django_simple_queue.records import worker_of
from tests.model import onlooker
from tests.model.rules import Rules
from tests.model.state import ONLOOKED, Row

from .events import Event, named
from .facts import Facts

NEVER = 1 << 80  # nobody knows how late it was carried out
TOO_MANY = 200_000  # states of one task after which no order is looked for any more

UNMARKED = "a task that was not started takes no loss, and no result"
DONE_STAYS = "what a runner had done when it died is stored, not run again"
LIVING = "nothing that runs is taken from a process that lives"
NOT_DEAD = "only the dead are rescued"
TOLD = "what was answered is what the rules do"


class Step(NamedTuple):
    """An event as it concerns one task."""

    event: Event
    low: int
    high: int
    sure: bool  # it was carried out; else it may have been


class Refusal(NamedTuple):
    """Why no order fits: the farthest that one came, and what could not follow."""

    rule: str
    at: Event | None
    row: Row | None


class Replay:
    def __init__(self, task: str, facts: Facts, rules: Rules) -> None:
        self.task, self.facts, self.rules = task, facts, rules

    def refuses(self, events: Sequence[Event], first: Row, last: Row | None) -> Refusal | None:
        """None if the model allows it: from the row as it was enqueued to the row as it is (None: it is gone)."""
        if last is None:
            return Refusal(onlooker.NOTHING_LOST, None, None)
        steps = [self._step(event) for event in events]
        sure = sum(1 << i for i, step in enumerate(steps) if step.sure)
        best, far = Refusal(onlooker.NOTHING_LOST, None, first), -1
        todo, seen = [(0, first)], {(0, first)}
        while todo:
            done, row = todo.pop()
            left = sure & ~done
            refused = []
            if not left:
                if (wrong := self._ends_otherwise(row, last)) is None:
                    return None
                refused.append(Refusal(wrong, None, row))
            bound = min((step.high for i, step in enumerate(steps) if left >> i & 1), default=NEVER)
            for i in sorted(range(len(steps)), key=lambda i: (steps[i].sure, -steps[i].low)):
                if done >> i & 1 or steps[i].low > bound:
                    continue
                after, wrong = self.carried_out(steps[i].event, row, steps, done)
                state = (done | 1 << i, after)
                if wrong:
                    if steps[i].sure:
                        refused.append(Refusal(wrong, steps[i].event, row))
                elif state not in seen:
                    seen.add(state)
                    todo.append(state)
            depth = bin(done & sure).count("1")
            if refused and depth > far:
                best, far = refused[-1], depth
            if len(seen) > TOO_MANY:
                return Refusal(f"no order found among {TOO_MANY} states", best.at, best.row)
        return best

    def _step(self, event: Event) -> Step:
        sure = event.answered is not None and event.answer is not False
        return Step(event, event.sent, event.answered if event.answered is not None else NEVER, sure)

    def _ends_otherwise(self, row: Row, last: Row) -> str | None:
        """What is wrong with the row at the end of it all."""
        for now in (row, self.rules.promote(row)):
            if now[:ONLOOKED] == last[:ONLOOKED]:
                return onlooker.unrecovered(self.rules, last)
        fields = [f"{n} {x!r} for {y!r}" for n, x, y in zip(Row._fields[:ONLOOKED], last, row, strict=False) if x != y]
        return f"{onlooker.NOTHING_LOST}: at the end {', '.join(fields)}"

    # ---- what each event does ----

    def carried_out(self, event: Event, row: Row, steps: Sequence[Step], done: int) -> tuple[Row, str | None]:
        """The row after it, and the rule that it breaks."""
        told, number = event.told(self.task), event.holder
        if event.op == "claim":
            return self._claim(row, number, told)
        if event.op == "start":
            return self._start(row, number, event)
        if event.op in ("cancel", "retry"):
            return self._asked(event.op, row, told)
        if event.op in ("declare", "leave"):
            held = row.holder and worker_of(row.holder) == event.worker
            return (onlooker.blamed(row) if held else row), None
        if event.op == "rescue":
            return self._rescue(row, event)
        after = getattr(self, f"_{event.op.partition(' ')[0]}")(row, event, steps, done)
        wrong = after if isinstance(after, str) else None
        if wrong is None and told is not None and bool(told) != (row.holder == number):
            wrong = onlooker.STALE if told else f"{TOLD}: it was held under {named(number)}"
        return (row if wrong else after), wrong

    def _claim(self, row: Row, number: int, told: tuple[int, int] | None) -> tuple[Row, str | None]:
        row = self.rules.promote(row)
        if row.holder:
            return row, onlooker.ONE_HOLDER
        if not self.rules.claimable(row):
            return row, f"{TOLD}: a row of status {row.status} was claimed"
        after, wrong = onlooker.claimed(row, self.rules.claim(row, number))
        if told is not None and told != (after.attempt, after.losses):
            wrong = wrong or f"{TOLD}: attempt {after.attempt}, losses {after.losses}"
        return after, wrong

    def _start(self, row: Row, number: int, event: Event) -> tuple[Row, str | None]:
        if row.holder != number and not self.facts.leased(worker_of(number), event.sent):
            return row, None  # cut off since it looked: it can record nothing
        return onlooker.started(row, number, False)

    def _asked(self, op: str, row: Row, told: int | None) -> tuple[Row, str | None]:
        if op == "cancel":
            after = self.rules.cancel(row)
            if told is not None and not told and after != row:
                return row, f"{TOLD}: it could be cancelled"
            return (after._replace(refused=True, owed=row.owed if row.holder else 0) if after != row else row), None
        after = self.rules.retry(row)
        if told is not None and bool(told) != (after != row):
            return row, f"{TOLD}: retry_task"
        return (after._replace(owed=1, refused=False, slot=row.slot) if after != row else row), None

    def _rescue(self, row: Row, event: Event) -> tuple[Row, str | None]:
        if not row.holder or worker_of(row.holder) != event.worker:
            named_it = event.answered is not None and event.told(self.task)
            return row, f"{TOLD}: it was not held by worker {event.worker}" if named_it else None
        if not self.facts.may_be_dead(event.worker, event.answered or NEVER):
            return row, NOT_DEAD
        return onlooker.noted(row, self.rules.rescue(row, row.holder), row.holder)

    def _finish(self, row: Row, event: Event, steps: Sequence[Step], done: int) -> Row | str:
        if row.holder != event.holder:
            return row
        ran = self.facts.begun.get(("start" if event.good else "mark", self.task, event.holder))
        if ran is None or ran.sent > (event.answered or NEVER):
            return UNMARKED
        rules = Rules(self.rules.max_losses, 0) if event.final else self.rules
        return self._or_wrong(row, rules.finish(row, event.holder, event.good), event.holder)

    def _release(self, row: Row, event: Event, steps: Sequence[Step], done: int) -> Row | str:
        if row.holder != event.holder:
            return row
        running = any(
            done >> i & 1 and step.event.op == "start" and step.event.holder == event.holder
            for i, step in enumerate(steps)
        )
        if running:  # what a killed runner ran, but was not killed for, runs again without a loss
            if wrong := self._lives_or_had_done(event):
                return wrong
            row = onlooker.blamed(row)
        return self._or_wrong(row, self.rules.release(row, event.holder), event.holder)

    def _lose(self, row: Row, event: Event, steps: Sequence[Step], done: int) -> Row | str:
        if row.holder != event.holder:
            return row
        if (marked := self.facts.begun.get(("mark", self.task, event.holder))) is None or marked.sent > event.last:
            return UNMARKED
        if wrong := self._lives_or_had_done(event):
            return wrong
        row = onlooker.blamed(row)
        return self._or_wrong(row, self.rules.rescue(row, event.holder), event.holder)

    def _lives_or_had_done(self, event: Event) -> str | None:
        """Why a task that was started under this number may not be taken from its runner."""
        marked, started, done = (
            self.facts.begun.get((what, self.task, event.holder)) for what in ("mark", "start", "done")
        )
        if any(one and not self.facts.is_gone(one.pid, event.sent) for one in (marked, started)):
            return LIVING
        return DONE_STAYS if done else None

    def _or_wrong(self, before: Row, after: Row, number: int) -> Row | str:
        row, wrong = onlooker.noted(before, after, number)
        return wrong or row
