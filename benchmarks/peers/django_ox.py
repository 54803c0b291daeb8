"""django-ox: leases by the database's clock, retries, batches; a pool of threads in each process."""

from __future__ import annotations

from benchmarks.peers.django_project.base import DRIVERS, EVERYWHERE, PERSISTENT, TasksPeer


class DjangoOx(TasksPeer):
    """Several processes are one command: a supervisor starts them."""

    name = "django-ox"
    requirements = ("django-ox>=1.9.1", "django>=6.1", *DRIVERS)
    databases = EVERYWHERE
    apps = ("django_ox",)
    backend = "django_ox.backend.OxBackend"
    configurations = {
        # Its defaults, one thread and a look each second when idle, and open connections as it asks when it starts.
        "recommended": {"database": {"CONN_MAX_AGE": 600}},
        # More threads than one hide the database's latency; it looks twenty times a second when idle.
        "best": {"database": PERSISTENT, "words": ["--concurrency", "8", "--interval", "0.05"]},
    }
    left = "SELECT COUNT(*) FROM django_ox_oxtask WHERE status IN ('READY', 'RUNNING')"

    def fill(self, kind: str, count: int) -> None:
        task = self.task(kind)
        from django_ox.bulk import enqueue_many

        enqueue_many(task, [([n], {}) for n in range(count)])

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        words = self.configurations[configuration].get("words", [])
        return [self.command(configuration, "ox_worker", "--verbosity", "0", *words, "--processes", str(processes))]

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        # Of an option given twice, the last counts.
        return [[*self.workers(configuration, 1)[0], "--concurrency", str(tasks)]]
