"""What a whole history says of workers, processes and numbers; and the rules that concern more than one task."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django_simple_queue.records import worker_of

from .events import INSTANTS, Event, named

NUMBER_ONCE = "a number is claimed under once"
LEASED = "who is within its lease is not declared dead"
DEAD_IS_DEAD = "a worker that was declared dead does nothing more under its id"
ALONE = "a task with a loss is claimed alone, and a worker runs one at a time"


class Facts:
    """An index of a history."""

    def __init__(self, events: Sequence[Event], lease: float) -> None:
        self.lease = int(lease * 1e9)
        self.last_seen: dict[int, int] = {}  # pid: when it last wrote anything
        self.beats: dict[int, list[Event]] = defaultdict(list)  # those that succeeded, registering included
        self.ended: dict[int, list[Event]] = defaultdict(list)  # a worker id's declare and leave
        self.begun: dict[tuple[str, str, int], Event] = {}  # (one of INSTANTS, task, number)
        self.by_op: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self.by_op[event.op].append(event)
            self.last_seen[event.pid] = max(self.last_seen.get(event.pid, 0), event.last)
            if event.op in ("beat", "register") and event.answered is not None and event.answer:
                self.beats[event.worker].append(event)
            elif event.op in ("declare", "leave") and event.answer is not False:
                self.ended[event.worker].append(event)
            elif event.op in INSTANTS:
                self.begun.setdefault((event.op, event.tasks[0], event.holder), event)

    def leased(self, worker: int, at: int) -> bool:
        """Whether the deadline on its control page lay ahead: it counts from the sending of a beat."""
        return any(b.last <= at <= b.sent + self.lease for b in self.beats[worker])

    def is_gone(self, pid: int, at: int) -> bool:
        """Whether a process has done nothing any more from then on."""
        return self.last_seen.get(pid, 0) <= at

    def may_be_dead(self, worker: int, at: int) -> bool:
        """Whether its row may have said so then; one that never registered here is missing."""
        return worker not in self.beats or any(event.sent <= at for event in self.ended[worker])


class Broken(NamedTuple):
    """A rule, and the events that break it."""

    rule: str
    events: tuple[Event, ...]
    task: str = ""


def broken(facts: Facts) -> Iterator[Broken]:
    """What breaks a rule, whichever the task."""
    yield from _numbers(facts)
    yield from _deaths(facts)
    yield from _losses(facts)


def _numbers(facts: Facts) -> Iterator[Broken]:
    by_number = defaultdict(list)
    for event in facts.by_op["claim"]:
        by_number[event.holder].append(event)
    for number, claims in by_number.items():
        if len(claims) > 1:
            yield Broken(f"{NUMBER_ONCE} ({named(number)})", tuple(claims), next(iter(claims[0].tasks), ""))


def _deaths(facts: Facts) -> Iterator[Broken]:
    for worker, ended in facts.ended.items():
        declared = next((event for event in ended if event.op == "declare" and event.answer), None)
        beats = facts.beats[worker]
        if declared is None or declared.answered is None or not beats:
            continue
        # Both write its row: a beat that succeeded came before.
        last = max(beats, key=lambda beat: beat.sent)
        if last.sent > declared.answered:
            yield Broken(DEAD_IS_DEAD, (declared, last))
        elif declared.answered < last.sent + facts.lease:
            yield Broken(LEASED, (last, declared))
        for claim in facts.by_op["claim"]:
            if worker_of(claim.holder) == worker and claim.tasks and claim.sent > declared.answered:
                yield Broken(DEAD_IS_DEAD, (declared, claim), claim.tasks[0])


def _losses(facts: Facts) -> Iterator[Broken]:
    runs = defaultdict(list)
    for claim in facts.by_op["claim"]:
        lossy = [task for task in claim.tasks if claim.told(task)[1]]
        if lossy and len(claim.tasks) > 1:
            yield Broken(ALONE, (claim,), lossy[0])
        for task in lossy:
            if start := facts.begun.get(("start", task, claim.holder)):
                runs[worker_of(claim.holder)].append(start)
    for starts in runs.values():
        starts.sort(key=lambda event: event.sent)
        for one, other in itertools.pairwise(starts):
            end = facts.begun.get(("end", one.tasks[0], one.holder))
            if other.sent < (end.sent if end else facts.last_seen[one.pid]):
                yield Broken(ALONE, (one, other), other.tasks[0])
