"""django-ox: leases by the database's clock, retries, batches; a pool of threads in each process."""

from __future__ import annotations

from benchmarks.peers.django_project.base import DRIVERS, PERSISTENT, TasksPeer


class DjangoOx(TasksPeer):
    """Several processes are one command: a supervisor starts them."""

    name = "django-ox"
    requirements = ("django-ox>=1.9.1", "django>=6.1", *DRIVERS)
    databases = ("sqlite", "postgresql", "mysql", "mariadb")
    apps = ("django_ox",)
    backend = "django_ox.backend.OxBackend"
    configurations = {
        # Its defaults: one thread, a connection for each task, a look each second when idle.
        "recommended": {},
        # Connections stay open, as its own warning asks; more threads than one hide the database's latency.
        "best": {"database": PERSISTENT, "words": ["--concurrency", "8", "--interval", "0.05"]},
    }
    left = "SELECT COUNT(*) FROM django_ox_oxtask WHERE status IN ('READY', 'RUNNING')"

    def fill(self, kind: str, count: int) -> None:
        task = self.task(kind)
        from django_ox.bulk import enqueue_many

        enqueue_many(task, [([n], {}) for n in range(count)])

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        words = self.configurations[configuration].get("words", [])
        return [self.command(configuration, "ox_worker", "--verbosity", "0", "--processes", str(processes), *words)]
