"""Histories written by hand: each call is one event, a hundredth of a second after the one before."""

from __future__ import annotations

from typing import Any

from django_simple_queue.records import HOLDERS_PER_WORKER
from tests.model.rules import Rules
from tests.model.state import COMPLETED, Row

from .check import Verdict, check
from .events import Event

LEASE = 4.0
RULES = Rules(max_losses=2, max_attempts=2)
STEP = 10_000_000
DONE = Row(COMPLETED, finished=True, slot=False)


def number(worker: int, count: int = 1) -> int:
    """A claim's number."""
    return worker * HOLDERS_PER_WORKER + count


class Written:
    """Workers 1 and 2 have registered; worker w's keeper is process 10 w, its runner 10 w + 1."""

    def __init__(self) -> None:
        self.now = 0
        self.events: list[Event] = []
        for worker in (1, 2):
            self.say("register", pid=10 * worker, worker=worker, answer=worker)

    def say(self, op: str, *, pid: int, answer: Any = None, answered: bool = True, **fields: Any) -> Event:
        """One event; `answered=False`: its answer never came."""
        self.now += STEP
        end = self.now + STEP // 2
        event = Event(op, pid, self.now, end if answered else None, answer=answer, last=end, **fields)
        self.events.append(event)
        return event

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)

    def beat(self, worker: int, answer: bool = True) -> None:
        self.say("beat", pid=10 * worker, worker=worker, answer=answer)

    def claim(self, holder: int, *tasks: str, attempt: int = 0, losses: int = 0, answered: bool = True) -> None:
        """By the runner of the number's worker."""
        answer = [[task, attempt, losses] for task in tasks] if answered else None
        self.say("claim", pid=_runner(holder), holder=holder, tasks=tasks, answer=answer, answered=answered)

    def start(self, holder: int, task: str) -> None:
        for what in ("mark", "start"):
            self.say(what, pid=_runner(holder), holder=holder, tasks=(task,))

    def run(self, holder: int, task: str, good: bool = True) -> None:
        self.start(holder, task)
        self.say("end", pid=_runner(holder), holder=holder, tasks=(task,), good=good)
        self.say("done", pid=_runner(holder), holder=holder, tasks=(task,))

    def finish(self, holder: int, task: str, told: int | None = 1, *, good: bool = True, answered: bool = True) -> None:
        fields = {"holder": holder, "tasks": (task,), "good": good}
        self.say("finish", pid=_runner(holder), answer=[told], answered=answered, **fields)

    def release(self, holder: int, task: str, told: int = 1, pid: int = 0) -> None:
        self.say("release", pid=pid or _runner(holder), holder=holder, tasks=(task,), answer=[told])

    def lose(self, holder: int, task: str, told: int = 1) -> None:
        """By the keeper of the number's worker."""
        self.say("lose", pid=_runner(holder) - 1, holder=holder, tasks=(task,), answer=[told])

    def declare(self, worker: int, by: int) -> None:
        self.say("declare", pid=10 * by, worker=worker, answer=True)

    def rescue(self, worker: int, by: int, *tasks: str) -> None:
        self.say("rescue", pid=10 * by, worker=worker, tasks=tasks, answer=list(tasks))

    def dies(self, worker: int, by: int, *tasks: str) -> None:
        """A worker is declared dead after its lease, and rescued."""
        self.wait(LEASE)
        self.beat(by)
        self.declare(worker, by)
        self.rescue(worker, by, *tasks)

    def verdict(self, **rows: Row) -> Verdict:
        return check(self.events, rows, RULES, LEASE)


def _runner(holder: int) -> int:
    return 10 * (holder // HOLDERS_PER_WORKER) + 1
