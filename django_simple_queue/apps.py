from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DjangoSimpleQueueConfig(AppConfig):
    name = "django_simple_queue"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
        from .backends.schema import index_without_migrations

        post_migrate.connect(index_without_migrations, sender=self, dispatch_uid=f"{self.name}.indexes")
