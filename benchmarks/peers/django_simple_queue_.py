"""This project's own queue, as it is in this checkout."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, TASKS, DjangoPeer
from benchmarks.peers.peer import chunks


class DjangoSimpleQueue(DjangoPeer):
    """One worker with so many runner processes, or threads for tasks that sleep."""

    name = "django_simple_queue"
    requirements = ("-e .", "django>=5.2", *DRIVERS)  # of the checkout
    databases = EVERYWHERE
    apps = ("django_simple_queue",)
    configurations = {
        # Its defaults: it chooses strategy, batches and waits by itself, so that there is nothing to tune.
        "recommended": {},
    }
    # Both by an index, also where the table has a million rows that are no work.
    left = (
        "SELECT (SELECT COUNT(*) FROM django_simple_queue_task"
        " WHERE status = 0 AND queue = 'default' AND holder IS NULL)"
        " + (SELECT COUNT(*) FROM django_simple_queue_task WHERE holder IS NOT NULL)"
    )

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        more: dict[str, Any] = {"DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS": [f"{TASKS}.*"]}
        # `benchmarks` counts the statements of the worker where BENCH_COUNTS says so.
        return more | {"INSTALLED_APPS": ["django.contrib.contenttypes", "django_simple_queue", "benchmarks"]}

    def fill(self, kind: str, count: int) -> None:
        self.setup()
        from django_simple_queue import create_tasks

        for numbers in chunks(count):
            create_tasks({"task": f"{TASKS}.{kind}", "args": {"n": n}} for n in numbers)

    def add(self, kind: str, n: int) -> None:
        self.setup()
        from django_simple_queue import create_task

        create_task(f"{TASKS}.{kind}", {"n": n})

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.worker(configuration, "--processes", str(processes))]

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.worker(configuration, "--threads", str(tasks))]

    def worker(self, configuration: str, *words: str) -> list[str]:
        return self.command(configuration, "task_worker", "--verbosity", "0", *words)

    # For benchmarks.measures.growth.

    def workers_of_queue(self, configuration: str) -> list[list[str]]:
        return [self.worker(configuration, "--queue", "default")]

    def ballast(self, sort: str, count: int) -> None:
        self.setup()
        from django.db import connection

        from benchmarks.peers.django_project.ballast import insert

        insert(connection, sort, count)

    def left_of_waiting(self, count: int) -> str:
        """SQL that gives how many are left of the "waiting" ballast: to count a million would take too long.

        They are claimed in their order, so that the first one that is not yet says how many have been.
        """
        self.setup()
        from django.db import connection

        rank = connection.ops.quote_name("rank")
        return (
            f"SELECT COALESCE({count + 1} - (SELECT seq FROM django_simple_queue_task"
            f" WHERE status = 0 AND queue = 'default' AND holder IS NULL ORDER BY {rank}, seq LIMIT 1), 0)"
            " + (SELECT COUNT(*) FROM django_simple_queue_task WHERE holder IS NOT NULL)"
        )
