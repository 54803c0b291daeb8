"""django-q2 on its ORM broker: a pusher claims by compare and swap, workers run, a monitor saves and deletes."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, PERSISTENT, TASKS, DjangoPeer


class DjangoQ2(DjangoPeer):
    """One cluster; its pool has as many workers as processes are asked for, besides three processes of its own."""

    name = "django-q2"
    requirements = ("django-q2>=1.11.1", "django>=5.2", *DRIVERS)
    databases = EVERYWHERE
    apps = ("django_q",)
    configurations = {
        # Its documentation's: it keeps the last 250 results, and looks each 0.2 s when idle.
        "recommended": {"cluster": {"timeout": 60, "retry": 120}},
        # Connections stay open; claims of 100 at a time, up to 1000 in hand; no results kept, which it prunes with
        # every task; workers are not replaced after 500 tasks. A task is still deleted only after it ran.
        "best": {
            "database": PERSISTENT,
            "cluster": {
                "timeout": 60,
                "retry": 120,
                "bulk": 100,
                "queue_limit": 1000,
                "save_limit": -1,
                "recycle": 1_000_000,
                "poll": 0.05,
            },
        },
    }
    left = "SELECT COUNT(*) FROM django_q_ormq"

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        cluster = {"name": "bench", "orm": "default", "log_level": "WARNING"} | pool
        return {"Q_CLUSTER": cluster | cls.configurations[configuration]["cluster"]}

    def fill(self, kind: str, count: int) -> None:
        # It has no bulk insert of its own: Django's, of the packages that its async_task() makes.
        self.setup()
        from django.utils import timezone
        from django_q.brokers import Broker
        from django_q.models import OrmQ
        from django_q.tasks import async_task

        packages: list[str] = []

        class Collect(Broker):
            def enqueue(self, task: str) -> int:
                packages.append(task)
                return len(packages)

        broker = Collect("bench")
        for n in range(count):
            async_task(f"{TASKS}.{kind}", n, broker=broker)
        now = timezone.now()
        rows = [OrmQ(key="bench", payload=package, lock=now) for package in packages]
        OrmQ.objects.bulk_create(rows, batch_size=1000)

    def add(self, kind: str, n: int) -> None:
        self.setup()
        from django_q.tasks import async_task

        async_task(f"{TASKS}.{kind}", n)

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command(configuration, "qcluster", workers=processes)]
