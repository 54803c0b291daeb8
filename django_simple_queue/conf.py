"""The settings, read once into one frozen object and read again when a test changes them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

PREFIX = "DJANGO_SIMPLE_QUEUE_"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is the setting DJANGO_SIMPLE_QUEUE_<FIELD>; the default is what applies without it."""

    allowed_tasks: frozenset[str] | None = None  # exact dotted names and "pkg.*"; None: the project's own apps
    task_timeout: float | None = 3600  # seconds; None, 0 or less: none
    max_output_size: int = 10 * 1024 * 1024  # bytes of output
    max_args_size: int = 1024 * 1024  # bytes of JSON
    status_access: str | Callable[..., bool] = "staff"  # "staff", "public" or (request, task) -> bool, dotted
    claim_strategy: str | Mapping[str, str] = "auto"
    database: str | None = None  # alias; None: the router's db_for_write(Task)
    max_attempts: int = 1
    retry_backoff: float = 10  # seconds before the second attempt
    lease_seconds: float = 30
    heartbeat_seconds: float = 5
    max_worker_losses: int = 3
    notify: bool = True  # whether an enqueue wakes idle workers where the database can (PostgreSQL); else they look
    keep_finished: float | None = None  # seconds (or a timedelta); None: for ever
    schedule: Mapping[str, Any] | None = None
    claims: Sequence[str] = ()  # dotted names of functions that return what the project claims rows from

    def strategy_for(self, alias: str) -> str:
        choice = self.claim_strategy
        return choice if isinstance(choice, str) else choice.get(alias, "auto")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    try:
        return _read()
    except TypeError as error:
        raise ImproperlyConfigured(
            f"A setting {PREFIX}* has a value of a wrong type ({error}): `manage.py check` says which."
        ) from None


def _read() -> Settings:
    given = {
        field.name: getattr(django_settings, name)
        for field in fields(Settings)
        if hasattr(django_settings, name := PREFIX + field.name.upper())
    }
    if (allowed := given.get("allowed_tasks")) is not None:
        given["allowed_tasks"] = frozenset(allowed)
    if (timeout := given.get("task_timeout")) is not None and timeout <= 0:
        given["task_timeout"] = None
    if isinstance(keep := given.get("keep_finished"), datetime.timedelta):
        given["keep_finished"] = keep.total_seconds()
    given["claims"] = tuple(given.get("claims") or ())
    return Settings(**given)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting.startswith(PREFIX):
        get_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="django_simple_queue.conf")


# The names that 0.1.x documents.


def get_allowed_tasks() -> set[str] | None:
    allowed = get_settings().allowed_tasks
    return None if allowed is None else set(allowed)


def is_task_allowed(task_path: str) -> bool:
    from .callables import is_allowed

    return is_allowed(task_path)


def get_max_output_size() -> int:
    return get_settings().max_output_size


def get_max_args_size() -> int:
    return get_settings().max_args_size


def get_task_timeout() -> float | None:
    return get_settings().task_timeout
