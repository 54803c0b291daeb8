"""Going to and fro between this app's migrations on any alias."""

from __future__ import annotations

import datetime
import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from django_simple_queue.models import Task

APP = "django_simple_queue"
TABLE = Task._meta.db_table
ZERO = None
PUBLISHED = "0001_initial"
HEAD_OF_0_1 = "0002_task_error_task_log_task_worker_pid"
CURRENT = "0003_task_queue"


def migrate(connection: BaseDatabaseWrapper, target: str | None) -> Any:
    """Migrate to `target`; the Task model as it is there, whose rows are in this database."""
    MigrationExecutor(connection).migrate([(APP, target)])
    if target is None:
        return None
    return MigrationExecutor(connection).loader.project_state((APP, target)).apps.get_model(APP, "Task")


def at(second: float) -> datetime.datetime:
    """A time in the past, later for a higher number."""
    return datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=second)


def add(connection: BaseDatabaseWrapper, model: Any, modified: float | None = None, **values: Any) -> Any:
    """Insert a task by a model of any migration; its id."""
    given = {"task": "shop.tasks.note", "args": json.dumps({}), **values}
    rows = model._base_manager.using(connection.alias)
    task = rows.create(**given)
    if modified is not None:
        rows.filter(pk=task.pk).update(modified=at(modified))
    return task.pk
