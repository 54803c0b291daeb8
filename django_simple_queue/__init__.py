"""A task queue for Django on whatever database the project has. Importing this imports no models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import (
        acancel_task,
        acreate_task,
        acreate_tasks,
        aretry_task,
        cancel_task,
        create_task,
        create_tasks,
        current_task,
        retry_task,
    )
    from .options import task_options

__version__ = "1.0.0"

__all__ = [
    "acancel_task",
    "acreate_task",
    "acreate_tasks",
    "aretry_task",
    "cancel_task",
    "create_task",
    "create_tasks",
    "current_task",
    "retry_task",
    "task_options",
]


def __getattr__(name: str) -> Any:
    if name == "task_options":
        from .options import task_options

        return task_options
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
