"""django-simple-queue 0.1.10, the last release before the rewrite: no claims, so that workers share tasks by luck."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, TASKS, DjangoPeer


class DjangoSimpleQueue01(DjangoPeer):
    """With more processes than one, tasks run more than once."""

    name = "django-simple-queue 0.1"
    requirements = ("django-simple-queue==0.1.10", "django>=5.2", *DRIVERS)
    databases = EVERYWHERE
    apps = ("django_simple_queue",)
    configurations = {
        # NOT as published: its sleep of 3 to 9 s before each task is removed, else nothing is there to measure.
        # So it looks without a pause when idle.
        "sleep removed": {},
    }
    left = "SELECT COUNT(*) FROM django_simple_queue_task WHERE status IN (0, 1)"

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        # The package of this checkout has the same name: not it, by mistake.
        found = importlib.util.find_spec("django_simple_queue")
        here = Path(__file__).resolve().parents[2]
        if found is None or Path(str(found.origin)).resolve().parent == here / "django_simple_queue":
            raise RuntimeError("django-simple-queue 0.1.10 is not what would be imported")
        return {}

    def fill(self, kind: str, count: int) -> None:
        self.setup()
        from django_simple_queue.models import Task

        rows = [Task(task=f"{TASKS}.{kind}", args=json.dumps({"n": n})) for n in range(count)]
        Task.objects.bulk_create(rows, batch_size=1000)

    def add(self, kind: str, n: int) -> None:
        self.setup()
        from django_simple_queue.utils import create_task

        create_task(f"{TASKS}.{kind}", {"n": n})

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        module = "benchmarks.peers.django_project.without_sleep"
        return [self.command(configuration, "task_worker", module=module)] * processes
