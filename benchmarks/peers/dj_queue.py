"""dj-queue: Rails' Solid Queue for Django: a row moves through tables for ready, claimed and finished."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, PERSISTENT, TasksPeer
from benchmarks.peers.peer import chunks


class DjQueue(TasksPeer):
    """A supervisor forks a dispatcher and the workers, each with threads."""

    name = "dj-queue"
    requirements = ("dj-queue>=0.14.2", "django>=6.0", *DRIVERS)
    databases = EVERYWHERE
    apps = ("dj_queue",)
    backend = "dj_queue.backend.DjQueueBackend"
    configurations = {
        # Its defaults, three threads, and open connections as its documentation asks.
        "recommended": {"database": {"CONN_MAX_AGE": 600}, "workers": {}},
        # More threads, each with more tasks in hand.
        "best": {
            "database": PERSISTENT,
            "workers": {"threads": 8, "prefetch_multiplier": 8, "polling_interval": 0.05},
        },
    }
    left = "SELECT COUNT(*) FROM dj_queue_jobs WHERE finished_at IS NULL"

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        workers = cls.configurations[configuration]["workers"] | pool
        return {"TASKS": {"default": {"BACKEND": cls.backend, "QUEUES": [], "OPTIONS": {"workers": [workers]}}}}

    def fill(self, kind: str, count: int) -> None:
        task = self.task(kind)
        for numbers in chunks(count, 1000):
            task.get_backend().enqueue_all([(task, [n], {}) for n in numbers])

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command(configuration, "dj_queue", processes=processes)]

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.command(configuration, "dj_queue", threads=tasks)]
