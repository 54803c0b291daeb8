"""What the adapters of Django apps share."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from benchmarks.peers.peer import Peer

SETTINGS = "benchmarks.peers.django_project.settings"
TASKS = "benchmarks.tasks"
DRIVERS = ("psycopg[binary]>=3.2", "mysqlclient>=2.2", "dj-database-url>=2.2")
EVERYWHERE = ("sqlite", "postgresql", "mysql", "mariadb")
# Django's own default closes the connection after each task.
PERSISTENT = {"CONN_MAX_AGE": None}


class DjangoPeer(Peer):
    """A peer that is a Django app; what it enqueues goes through Django's connection."""

    apps: tuple[str, ...]  # for INSTALLED_APPS

    def setup(self) -> None:
        """Start Django in a process that enqueues."""
        os.environ |= {"BENCH_URL": self.url, "BENCH_PEER": self.module(), "DJANGO_SETTINGS_MODULE": SETTINGS}
        import django
        from django.apps import apps

        if not apps.ready:
            django.setup()

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        """More settings, of the peer's own; `pool` is as command() got it."""
        return {}

    def prepare(self) -> None:
        self.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def empty(self) -> None:
        self.setup()
        from django.apps import apps
        from django.core.management.color import no_style
        from django.db import connection

        mine = [app for app in apps.get_app_configs() if app.name in self.apps]
        tables = [model._meta.db_table for app in mine for model in app.get_models() if model._meta.managed]
        flush = connection.ops.sql_flush(no_style(), tables, allow_cascade=True)
        connection.ops.execute_sql_flush(flush)

    def add_in_transaction(self, kind: str, count: int) -> None:
        self.setup()
        from django.db import transaction

        with transaction.atomic():
            for n in range(count):
                self.add(kind, n)

    def close(self) -> None:
        self.setup()
        from django.db import connections

        connections.close_all()

    def command(self, configuration: str, *words: str, module: str = "django", **pool: int) -> list[str]:
        """The command line of `manage.py` with these words; `pool` is for settings()."""
        setting = {
            "BENCH_URL": self.url,
            "BENCH_PEER": self.module(),
            "BENCH_CONFIGURATION": configuration,
            "BENCH_POOL": json.dumps(pool),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
        }
        return ["env", *(f"{name}={value}" for name, value in setting.items()), sys.executable, "-m", module, *words]


class TasksPeer(DjangoPeer):
    """A backend of django.tasks."""

    python = "3.12"  # Django 6, the first with django.tasks
    backend: str

    @classmethod
    def settings(cls, configuration: str, pool: dict[str, int]) -> dict[str, Any]:
        options = cls.configurations[configuration].get("options", {})
        return {"TASKS": {"default": {"BACKEND": cls.backend, "OPTIONS": options}}}

    def task(self, kind: str) -> Any:
        self.setup()
        from benchmarks.peers.django_project import tasks

        return getattr(tasks, kind)

    def add(self, kind: str, n: int) -> None:
        self.task(kind).enqueue(n)
