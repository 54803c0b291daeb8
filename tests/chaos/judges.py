"""What must be true afterwards, from the rows and from what the tasks themselves wrote down."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

from django_simple_queue.worker.board import clock
from tests.history.events import Event as Written

from .faults import Record

Event = tuple[str, str, int, float]


@dataclass(frozen=True)
class Run:
    pid: int
    start: float
    end: float | None  # None: it was cut off


def runs_of(events: list[Event]) -> dict[str, list[Run]]:
    """Each task's runs in the order in which they began."""
    open_runs: dict[tuple[str, int], float] = {}
    found: dict[str, list[Run]] = defaultdict(list)
    for key, event, pid, when in events:
        if event == "start":
            if (before := open_runs.pop((key, pid), None)) is not None:
                found[key].append(Run(pid, before, None))
            open_runs[key, pid] = when
        else:
            found[key].append(Run(pid, open_runs.pop((key, pid)), when))
    for (key, pid), start in open_runs.items():
        found[key].append(Run(pid, start, None))
    return {key: sorted(runs, key=lambda run: run.start) for key, runs in found.items()}


def two_at_once(runs: dict[str, list[Run]], record: Record) -> list[tuple[str, Run, Run]]:
    """Pairs of runs of one task that overlap, but for processes that were cut off longer than promised."""

    def end_of(run: Run) -> float:
        return run.end if run.end is not None else record.deaths.get(run.pid, run.start + 0.05)

    def was_cut_off(run: Run) -> bool:
        return any(low <= end_of(run) and run.start <= high for low, high in record.cut_off.get(run.pid, []))

    found = []
    for key, of_one in runs.items():
        for i, first in enumerate(of_one):
            for second in of_one[i + 1 :]:
                if second.start < end_of(first) and not (was_cut_off(first) or was_cut_off(second)):
                    found.append((key, first, second))
    return found


def repeats(runs: dict[str, list[Run]], attempts: dict[str, int]) -> int:
    """Runs beyond the first one and one for each failed attempt."""
    return sum(max(0, len(of_one) - 1 - attempts.get(key, 0)) for key, of_one in runs.items())


def unstored(history: list[Written], record: Record) -> int:
    """Runs in processes that were killed or cut off before their results were stored: each may be repeated once."""
    disturbed = record.deaths.keys() | record.cut_off.keys()
    stored = {
        (task, event.holder)
        for event in history
        if event.op == "finish"
        for task in event.tasks
        if event.told(task) == 1
    }
    begun = [event for event in history if event.op == "start" and event.pid in disturbed]
    return sum((event.tasks[0], event.holder) not in stored for event in begun)


def longest_to_rescue(history: list[Written], record: Record) -> float:
    """Seconds from the death of a process to when what it ran was taken back."""
    to_wall = time.time() - clock() / 1e9
    last_run: dict[str, Written] = {}
    longest = 0.0
    for event in history:
        if event.op == "start":
            last_run[event.tasks[0]] = event
        elif event.op in ("lose", "rescue") and event.answered is not None:
            for task in event.tasks:
                run = last_run.get(task)
                if run is not None and event.told(task) and event.takes_from(run.holder) and run.pid in record.deaths:
                    died = max(record.deaths[run.pid], run.sent / 1e9 + to_wall)
                    longest = max(longest, event.answered / 1e9 + to_wall - died)
    return longest
