from __future__ import annotations

from django.apps import AppConfig


class DjangoSimpleQueueConfig(AppConfig):
    name = "django_simple_queue"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
