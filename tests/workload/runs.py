"""The evidence that tasks wrote, read as runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One call of a task's callable; times in nanoseconds."""

    name: str
    number: int
    pid: int
    supervisor: int
    start: int
    end: int | None  # None: it was cut off


class Evidence:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs"
        self.read, self.seen = 0, 0

    def starts(self) -> int:
        """How many there were up to now."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.read)
                new = file.read()
            self.read += len(new)
            self.seen += new.count(b" start ")
        return self.seen

    def runs(self) -> dict[int, list[Run]]:
        """Each task's runs in the order in which they began."""
        starts, ends = self._lines("start"), self._lines("end")
        found: dict[int, list[Run]] = defaultdict(list)
        for name, (number, pid, supervisor, at) in sorted(starts.items(), key=lambda item: item[1][-1]):
            end = ends[name][-1] if name in ends else None
            found[number].append(Run(name, number, pid, supervisor, at, end))
        return found

    def suicides(self) -> dict[int, tuple[int, int]]:
        """Processes that a task killed: their supervisor and when."""
        return {pid: (supervisor, at) for _, pid, supervisor, at in self._lines("dies").values()}

    def _lines(self, what: str) -> dict[str, tuple[int, int, int, int]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        found = {}
        for run, number, event, pid, supervisor, at in map(str.split, lines):
            if event == what:
                found[run] = (int(number), int(pid), int(supervisor), int(at))
        return found
