"""A task queue for Django on whatever database the project has. Importing this imports no models."""

from __future__ import annotations

from importlib import import_module
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
    from .claims import DbNow, aclaim_rows, claim_rows
    from .claims.lease import lease
    from .options import task_options

__version__ = "1.0.0"

__all__ = [
    "DbNow",
    "acancel_task",
    "aclaim_rows",
    "acreate_task",
    "acreate_tasks",
    "aretry_task",
    "cancel_task",
    "claim_rows",
    "create_task",
    "create_tasks",
    "current_task",
    "lease",
    "retry_task",
    "task_options",
]
# Where what is not in api is.
HOMES = {"task_options": "options", **dict.fromkeys(("DbNow", "aclaim_rows", "claim_rows", "lease"), "claims")}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f".{HOMES.get(name, 'api')}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
