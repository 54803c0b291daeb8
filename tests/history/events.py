"""What record.py wrote, read again: statements with the times between which they were carried out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django_simple_queue.records import HOLDERS_PER_WORKER, worker_of

INSTANTS = ("mark", "start", "end", "done")  # what happens in a process and not in the database


class Event(NamedTuple):
    """One statement or instant. Times are nanoseconds on a clock that all processes share."""

    op: str
    pid: int
    sent: int
    answered: int | None = None  # None: nobody knows whether it was carried out
    holder: int = 0
    worker: int = 0
    tasks: tuple[str, ...] = ()
    answer: Any = None
    good: bool = True  # of end and finish: whether the run succeeded
    final: bool = False  # of finish: a failure that is not tried again
    error: str = ""
    last: int = 0  # when its process last wrote anything of it

    def told(self, task: str) -> Any:
        """What was answered of one task: 1 or 0, None if one cannot say; of a claim (attempt, losses)."""
        if self.answered is None or not isinstance(self.answer, list):
            return None
        if self.op == "claim":
            return next((tuple(numbers) for key, *numbers in self.answer if key == task), None)
        if self.op == "rescue":
            return int(task in self.answer)
        return self.answer[self.tasks.index(task)]

    def takes_from(self, number: int) -> bool:
        """Whether it concerns what is held under this number."""
        return self.holder == number or self.worker == worker_of(number)

    def words(self, task: str) -> str:
        """As a line of one task's story."""
        number = f" under {named(self.holder)}" if self.holder else f" of worker {self.worker}" if self.worker else ""
        how = "" if self.op not in ("end", "finish") else " well" if self.good else " badly"
        if self.op in INSTANTS:
            return f"{self.op}{how}{number}"
        if self.answered is None:
            return f"{self.op}{how}{number}: no answer{f' ({self.error})' if self.error else ''}"
        told = self.told(task)
        if self.op == "claim":
            return f"claim{number}: attempt {told[0]}, losses {told[1]}" if told else f"claim{number}: not this one"
        if self.tasks:
            told = {1: "carried out", 0: "not held", None: "of several, not all were held"}[told]
        elif told is None:
            told = self.answer
        return f"{self.op}{how}{number}: {told}"


def named(holder: int) -> str:
    """A claim's number as people read it: its worker, then the count."""
    return f"{worker_of(holder)}.{holder % HOLDERS_PER_WORKER}"


def read(path: Path) -> list[Event]:
    return parsed(path.read_text().splitlines()) if path.exists() else []


def parsed(lines: Iterable[str]) -> list[Event]:
    """Events in the order in which they began."""
    events: list[Event] = []
    open_ones: dict[tuple[int, int], int] = {}
    for line in lines:
        if not line.endswith("}"):
            continue  # the disk was full, or its writer died
        fields = json.loads(line)
        at, pid, n = fields.pop("at"), fields.pop("pid"), fields.pop("n", None)
        if "op" in fields:
            fields["tasks"] = tuple(fields.get("tasks", ()))
            if n is not None:
                open_ones[pid, n] = len(events)
            events.append(Event(pid=pid, sent=at, answered=at if n is None else None, last=at, **fields))
        else:
            place = open_ones.pop((pid, n))
            events[place] = _closed(events[place]._replace(last=at), at, **fields)
    return sorted(events, key=lambda event: event.sent)


def _closed(event: Event, at: int, answer: Any = None, error: str = "") -> Event:
    if error:
        return event._replace(error=error)
    event = event._replace(answered=at, answer=answer)
    if event.op == "claim":
        return event._replace(tasks=tuple(task for task, *_ in answer))
    if event.op == "rescue":
        return event._replace(tasks=tuple(answer))
    return event._replace(worker=answer) if event.op == "register" else event


def story(task: str, events: Sequence[Event]) -> str:
    """One task's events in order, for people."""
    first = min((event.sent for event in events), default=0)
    lines = []
    for event in sorted(events, key=lambda event: event.sent):
        took = f" +{(event.answered - event.sent) / 1e9:.3f}" if event.answered is not None else ""
        lines.append(f"  {(event.sent - first) / 1e9:9.3f}{took:8}  pid {event.pid}  {event.words(task)}")
    return "\n".join(lines)
