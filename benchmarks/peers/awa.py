"""awa: a core in Rust, handlers in Python's asyncio; an append-only ring of partitions instead of rows that change."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.peers.peer import Peer

_FINISHED = (
    "(SELECT coalesce(sum(pruned_completed_count + pruned_failed_count), 0) FROM awa.queue_terminal_rollups)"
    " + (SELECT coalesce(sum(completed_count), 0) FROM awa.receipt_completion_batches)"
    " + (SELECT count(*) FROM awa.done_entries)"
)


class Awa(Peer):
    """Each process is a node of its own."""

    name = "awa"
    requirements = ("awa-pg>=0.6.9", "psycopg[binary]>=3.2")
    databases = ("postgresql",)
    configurations = {
        # Its documentation's first example, with ten jobs at a time.
        "recommended": {"queue": {"max_workers": 10}},
        # The most that it claims at once, and twice as many at work.
        "best": {"queue": {"max_workers": 1024, "claim_batch_size": 512}},
    }
    # Its own view of the jobs is slow: what its sequence gave out less what it counts as finished.
    left = (
        "SELECT (SELECT coalesce(sum(last_value), 0) FROM pg_sequences"
        f" WHERE schemaname = 'awa' AND sequencename LIKE 'queue_enqueue_seq_%') - ({_FINISHED})"
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.opened: Any = None

    @property
    def client(self) -> Any:
        if self.opened is None:
            import awa

            self.opened = awa.Client(self.url)
        return self.opened

    def job(self, kind: str, n: int) -> Any:
        from benchmarks.peers.awa_project.worker import KINDS

        return KINDS[kind](n)

    def prepare(self) -> None:
        self.client.migrate()
        self.client.install_queue_storage()

    def empty(self) -> None:
        self.client.install_queue_storage(reset=True)

    def fill(self, kind: str, count: int) -> None:
        self.client.enqueue_many_copy([self.job(kind, n) for n in range(count)], queue="bench")

    def add(self, kind: str, n: int) -> None:
        self.client.insert(self.job(kind, n), queue="bench")

    def add_in_transaction(self, kind: str, count: int) -> None:
        with self.client.transaction() as transaction:
            for n in range(count):
                transaction.insert(self.job(kind, n), queue="bench")

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command(self.configurations[configuration]["queue"])] * processes

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.command(self.configurations[configuration]["queue"] | {"max_workers": tasks})]

    def command(self, queue: dict[str, int]) -> list[str]:
        return [sys.executable, "-m", "benchmarks.peers.awa_project.worker", self.url, json.dumps(queue)]
