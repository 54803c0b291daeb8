"""django-tasks-db: the database backend that left Django's own tasks."""

from __future__ import annotations

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, PERSISTENT, TasksPeer


class DjangoTasksDb(TasksPeer):
    """One task at a time for each process."""

    name = "django-tasks-db"
    requirements = ("django-tasks-db>=0.13", "django>=6.0", *DRIVERS)
    databases = EVERYWHERE
    apps = ("django_tasks_db",)
    backend = "django_tasks_db.DatabaseBackend"
    configurations = {
        # Its documentation's: a connection for each task, a look each second when idle.
        "recommended": {},
        # Connections stay open; it looks twenty times a second when idle, for the latency.
        "best": {"database": PERSISTENT, "words": ["--interval", "0.05"]},
    }
    left = "SELECT COUNT(*) FROM django_tasks_database_dbtaskresult WHERE status IN ('READY', 'RUNNING')"

    def fill(self, kind: str, count: int) -> None:
        # It has no bulk insert of its own: Django's, of the rows that its enqueue() makes.
        task = self.task(kind)
        from django_tasks_db.models import DBTaskResult, get_date_max

        rows = [
            DBTaskResult(
                args_kwargs={"args": [n], "kwargs": {}},
                priority=task.priority,
                task_path=task.module_path,
                queue_name=task.queue_name,
                run_after=get_date_max(),
                backend_name=task.backend,
            )
            for n in range(count)
        ]
        DBTaskResult.objects.bulk_create(rows, batch_size=1000)

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        words = self.configurations[configuration].get("words", [])
        return [self.command(configuration, "db_worker", "--verbosity", "0", *words)] * processes
