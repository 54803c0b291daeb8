"""A workload: what is enqueued, who works on it and what goes wrong meanwhile. Times are counted in starts of tasks."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

KINDS = ("plain", "prints", "floods", "yields", "fails_once", "fails", "kills_once", "adds_one")
FAULTS = ("kill runner", "kill worker", "kill supervisor", "kill keeper", "suspend", "suspend long", "stop")
QUEUES = ("a", "b", "c")


class Brief:
    """A repr that leaves out what is as by default, and can be pasted."""

    def __repr__(self) -> str:
        given = [(f.name, getattr(self, f.name), f.default) for f in fields(self)]  # type: ignore[arg-type]
        words = (f"{name}={value!r}" for name, value, usual in given if value != usual)
        return f"{type(self).__name__}({', '.join(words)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis shows."""
        printer.text(repr(self))


@dataclass(frozen=True, kw_only=True, repr=False)
class Group(Brief):
    """Tasks that are alike."""

    kind: str = "plain"
    count: int = 1
    ms: int = 0  # that each takes
    queue: str = "a"
    priority: int = 0
    run_after: int = 0  # ms
    key: str | None = None  # unique_key of them all
    attempts: int = 1
    at: int = 0  # enqueued after so many starts; 0: before there is a worker
    cancelled_at: int | None = None  # every third of them, likewise

    def spec(self, number: int) -> dict[str, Any]:
        """What create_tasks() takes."""
        return {
            "task": f"tests.jobs.workload.{self.kind}",
            "args": {"number": number, "ms": self.ms},
            "queue": self.queue,
            "priority": self.priority,
            "run_after": datetime.timedelta(milliseconds=self.run_after) if self.run_after else None,
            "unique_key": self.key,
            "max_attempts": self.attempts,
        }

    @property
    def failures(self) -> int:
        """Failed attempts that a task of this kind has at its end."""
        return {"fails_once": 1, "fails": self.attempts}.get(self.kind, 0)


@dataclass(frozen=True, kw_only=True, repr=False)
class Crew(Brief):
    """One worker's options."""

    processes: int = 1
    threads: int = 1
    queues: tuple[str, ...] = ()
    strategy: str | None = None
    max_tasks: int | None = None

    def options(self, name: str) -> list[str]:
        words = ["--name", name, "--processes", str(self.processes), "--threads", str(self.threads)]
        words += [word for queue in self.queues for word in ("--queue", queue)]
        words += ["--strategy", self.strategy] if self.strategy else []
        return words + (["--max-tasks", str(self.max_tasks)] if self.max_tasks else [])


@dataclass(frozen=True, kw_only=True, repr=False)
class Fault(Brief):
    """What is done to one of the workers."""

    what: str = "kill runner"
    at: int = 1
    ms: int = 0  # after that start: else it always comes when a task has just begun
    crew: int = 0


@dataclass(frozen=True, kw_only=True, repr=False)
class Workload(Brief):
    groups: tuple[Group, ...]
    crews: tuple[Crew, ...] = (Crew(),)
    faults: tuple[Fault, ...] = ()
    burst: bool = False  # the rest is left to workers that come last, with --burst

    def __repr__(self) -> str:
        lists = (("groups", self.groups), ("crews", self.crews), ("faults", self.faults))
        lines = [f"{name}=({''.join(f'{chr(10)}    {one!r},' for one in many)}\n  )," for name, many in lists if many]
        return "\n  ".join(["Workload(", *lines, f"burst={self.burst},"]) + "\n)"

    def tasks(self) -> Iterator[tuple[int, Group, bool]]:
        """(number, group, whether it is one of those that are cancelled), one of each group after the other."""
        numbers = itertools.count(1)
        for place in range(max(group.count for group in self.groups)):
            for group in self.groups:
                if place < group.count:
                    yield next(numbers), group, group.cancelled_at is not None and place % 3 == 0

    @property
    def served(self) -> frozenset[str]:
        """The queues that somebody works on."""
        if any(not crew.queues for crew in self.crews):
            return frozenset(QUEUES)
        return frozenset(queue for crew in self.crews for queue in crew.queues)

    @property
    def in_order(self) -> bool:
        """Whether one process runs it all, one task at a time and undisturbed."""
        one = len(self.crews) == self.crews[0].processes == self.crews[0].threads == 1
        return one and not self.faults and not any(group.kind == "kills_once" for group in self.groups)
