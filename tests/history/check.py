"""Does the model allow this history? Every task is replayed by itself; what concerns several is looked at directly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django_simple_queue.records import worker_of
from tests.model.rules import Rules
from tests.model.state import Row

from .events import INSTANTS, Event, story
from .facts import Facts, broken
from .replay import Refusal, Replay


@dataclass
class Verdict:
    """What was looked at, and the stories of what the model forbids."""

    events: int = 0
    tasks: int = 0
    forbidden: list[str] = field(default_factory=list)


def check(events: Sequence[Event], rows: Mapping[str, Row], rules: Rules, lease: float) -> Verdict:
    """`rows`: the tasks as they are in the end, by hexadecimal id. `lease`: seconds."""
    facts = Facts(events, lease)
    by_task: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        for task in event.tasks:
            by_task[task].append(event)
    verdict = Verdict(len(events), len(rows))
    for found in broken(facts):
        told = story(found.task, found.events)
        verdict.forbidden.append(f"{found.rule}\n{told}")
    unnamed = Unnamed(facts)
    for task in rows.keys() | by_task.keys():
        if refusal := _refusal(task, by_task[task], rows.get(task), facts, unnamed, rules):
            verdict.forbidden.append(_told(task, by_task[task], refusal, unnamed))
    return verdict


class Unnamed:
    """Statements that may concern any task: without an answer nobody knows which."""

    def __init__(self, facts: Facts) -> None:
        self.by_number: dict[int, list[Event]] = defaultdict(list)
        self.by_worker: dict[int, list[Event]] = defaultdict(list)
        for event in facts.by_op["release all"]:
            self.by_number[event.holder].append(event)
        for event in facts.by_op["rescue"]:
            if event.answered is None:
                self.by_worker[event.worker].append(event)
        for worker, ended in facts.ended.items():
            self.by_worker[worker] += ended
        self.claims = [event for event in facts.by_op["claim"] if event.answered is None]

    def may_have_ended(self, number: int, workers: Collection[int]) -> bool:
        """Whether something may have taken a task from this number, beside rescues from these workers."""
        swept = any(event.answer != 0 for event in self.by_number.get(number, ()))
        rescued = any(event.op == "rescue" for event in self.by_worker.get(worker_of(number), ()))
        return swept or rescued or worker_of(number) in workers

    def about(self, events: Sequence[Event]) -> list[Event]:
        """Those about the numbers under which these events say that their task was claimed, or may have been."""
        numbers = {event.holder for event in events if event.op == "claim"}
        workers = {worker_of(number) for number in numbers}
        found = [event for number in numbers for event in self.by_number.get(number, ())]
        return found + [event for worker in workers for event in self.by_worker.get(worker, ())]


def _refusal(
    task: str, events: Sequence[Event], last: Row | None, facts: Facts, unnamed: Unnamed, rules: Rules
) -> Refusal | None:
    steps = [event for event in events if event.op == "start" or event.op not in INSTANTS]
    replay = Replay(task, facts, rules)
    refusal = replay.refuses([*steps, *unnamed.about(steps)], Row(), last)
    if refusal is None or last is None:
        return refusal
    # A claim whose answer never came may have taken it, and somebody has given it back or rescued it.
    workers = {event.worker for event in steps if event.op == "rescue"} | {worker_of(last.holder)}
    maybe = [event for event in unnamed.claims if unnamed.may_have_ended(event.holder, workers)]
    return replay.refuses([*steps, *maybe, *unnamed.about([*steps, *maybe])], Row(), last) if maybe else refusal


def _told(task: str, events: Sequence[Event], refusal: Refusal, unnamed: Unnamed) -> str:
    lines = [f"task {task}: {refusal.rule}", story(task, [*events, *unnamed.about(events)])]
    if refusal.at is not None:
        lines.append(f"  refused: {refusal.at.words(task)} (pid {refusal.at.pid})")
    if refusal.row is not None:
        lines.append(f"  the row before: {refusal.row}")
    return "\n".join(lines)
