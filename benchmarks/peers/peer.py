"""What an adapter is: one module with one subclass of Peer, imported only inside the environment of that peer.

The driver reads `name`, `requirements`, `python`, `databases` and `configurations` without that environment, so an
adapter's module imports nothing of its peer at its top. It is run with a folder that holds nothing but this package
`benchmarks` as working directory, and that is what `python -m benchmarks.peers.…` finds in a worker process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

# What a task may do: nothing, wait 1 or 20 ms (time.sleep, or asyncio.sleep where tasks are coroutines), or append
# "n time.time()" to the file that BENCH_STAMPS names, with one write().
KINDS = ("noop", "sleep1", "sleep20", "stamp")
# What is measured: see benchmarks/measures.
MEASURES = ("drain", "sleep", "enqueue", "idle", "load")


class Peer:
    """One queue on one database; every configuration runs tasks at least once and commits durably."""

    name: ClassVar[str]
    requirements: ClassVar[tuple[str, ...]]  # pip requirements of its environment, with pinned minimum versions
    python: ClassVar[str] = "3.11"  # the lowest Python it runs on
    databases: ClassVar[tuple[str, ...]]  # of "sqlite", "postgresql", "mysql", "mariadb"
    # "recommended" (its documentation's) and "best", or only one; a comment says what each sets and why.
    configurations: ClassVar[dict[str, dict[str, Any]]]
    # Those that mean something for it.
    measures: ClassVar[tuple[str, ...]] = MEASURES
    # SQL that gives how many tasks are not finished yet, cheap: it is asked each 25 ms.
    left: str
    # More environment variables for the workers.
    environment: ClassVar[dict[str, str]] = {}

    def __init__(self, url: str) -> None:
        """`url`: postgres://user@host:port/name, mysql://root@host:port/name or sqlite:////path/file.sqlite3"""
        self.url = url

    @classmethod
    def module(cls) -> str:
        """The name of its adapter's module."""
        return cls.__module__.rpartition(".")[2]

    def prepare(self) -> None:
        """Make the tables, in an empty database of its own."""
        raise NotImplementedError

    def empty(self) -> None:
        """Leave no tasks, finished or not."""
        raise NotImplementedError

    def fill(self, kind: str, count: int) -> None:
        """Enqueue in bulk, the fastest public way."""
        raise NotImplementedError

    def add(self, kind: str, n: int) -> None:
        """Enqueue one, committed when this returns."""
        raise NotImplementedError

    def add_in_transaction(self, kind: str, count: int) -> None:
        """Enqueue so many one by one inside one transaction, committed when this returns."""
        raise NotImplementedError(f"{self.name} cannot enqueue in a transaction")

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        """The command lines to start for that many worker processes; SIGTERM stops each."""
        raise NotImplementedError

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        """The command lines to start to have that many tasks run at the same time, no more."""
        return self.workers(configuration, tasks)

    def close(self) -> None:
        """Give up connections; nothing is asked of it afterwards."""


def chunks(count: int, size: int = 5000) -> Iterator[range]:
    """The numbers below `count`, so many at a time: for bulk inserts that would hold them all in memory."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def adapter(module: str) -> type[Peer]:
    """The one class that a module of this package defines as its adapter."""
    import importlib

    found = importlib.import_module(f"benchmarks.peers.{module}")
    classes = [
        one
        for one in vars(found).values()
        if isinstance(one, type) and issubclass(one, Peer) and one.__module__ == found.__name__
    ]
    if len(classes) != 1:
        raise LookupError(f"benchmarks/peers/{module}.py has {len(classes)} adapters instead of one.")
    return classes[0]
