"""What must be true after bad weather."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from django_simple_queue.models import Attempt, Task
from tests.worker.stage import Process, Stage, eventually

SAID, OVER = "Waiting for it", "is back after"


class Watched:
    """A worker and the processes that it had when the weather was good."""

    def __init__(self, worker: Process, processes: int) -> None:
        self.worker, self.count = worker, processes + 1
        eventually(lambda: len(worker.runners) == processes, "its runners")
        self.runners = set(worker.runners)

    def said(self, word: str) -> int:
        return self.worker.said.count(word)

    def assert_unharmed(self, outages: int = 1) -> None:
        """Nobody of it died or was taken for dead; none of its processes said twice in an outage what is wrong."""
        said = self.worker.said
        assert self.worker.popen.poll() is None, said
        assert set(self.worker.runners) == self.runners, said
        assert not self.worker.crashes, said
        # A keeper that a connection leaves waiting for a third of a lease is replaced: the next one says it anew, and
        # what the one before has said stays.
        replaced = self.said("another one takes its place")
        assert self.said(SAID) <= self.count * outages + replaced, said
        eventually(lambda: self.said(OVER) >= self.said(SAID) - replaced, "a word that it goes on")
        assert "declared dead" not in said, said
        assert "were taken back" not in said, said
        assert "has not beaten" not in said, said

    def assert_stops(self) -> None:
        assert self.worker.stop(signal.SIGTERM) == 0, self.worker.said


def await_all(tasks: Iterable[Task], seconds: float = 30.0) -> None:
    keys = [task.pk for task in tasks]
    eventually(
        lambda: Task.objects.filter(pk__in=keys, status=Task.COMPLETED).count() == len(keys),
        "the tasks' completion",
        seconds,
    )


def assert_each_ran_once(stage: Stage, tasks: Iterable[Task]) -> None:
    """Nothing lost, nothing counted as lost, nothing started twice."""
    rows = Task.objects.in_bulk([task.pk for task in tasks])
    starts = stage.starts()
    for task in tasks:
        row = rows[task.pk]
        assert (row.status, row.losses, row.holder) == (Task.COMPLETED, 0, None), (row.status, row.losses, row.error)
        assert starts[str(task.pk)] == 1, starts
    assert not Attempt.objects.filter(kind="lost").exists()
