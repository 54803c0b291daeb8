"""What may be enqueued: each argument checked, with a message that names it, its value and what would be right."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from .callables import check_allowed, name_of
from .conf import get_settings

Moment = datetime.datetime | datetime.timedelta | None


class NewTask(NamedTuple):
    """A task that may be stored as it is."""

    task: str
    args: str  # JSON
    queue: str = "default"
    priority: int = 0
    run_after: Moment = None
    max_attempts: int | None = None
    timeout: float | None = None
    unique_key: str | None = None
    expires: Moment = None


def new_task(task: object, args: object, given: Mapping[str, Any]) -> NewTask:
    """Check the arguments of create_task. Raises TypeError, ValueError or TaskNotAllowedError."""
    name = check_allowed(name_of(task))
    checked: dict[str, Any] = {key: CHECKS[key](key, value) for key, value in given.items()}
    return NewTask(name, arguments(args), **checked)


def arguments(args: object) -> str:
    """The keyword arguments as strict JSON."""
    if not isinstance(args, dict):
        raise TypeError("args should be of type dict.")
    if not args:
        return "{}"
    check_keys(args)
    try:
        text = json.dumps(args, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"args cannot be stored as JSON: {error}") from None
    if len(text) > (most := get_settings().max_args_size):
        raise ValueError(
            f"args are {len(text)} bytes of JSON, at most {most} are stored (DJANGO_SIMPLE_QUEUE_MAX_ARGS_SIZE):"
            f" store the data elsewhere and pass its key."
        )
    return text


def check_keys(value: object, depth: int = 0) -> None:
    """JSON would turn keys that are no strings into strings, silently."""
    if depth > 200:
        raise ValueError("args are nested too deeply, or contain themselves.")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"args has the key {key!r}: keys must be strings, JSON has no others.")
            check_keys(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_keys(item, depth + 1)


def _text(name: str, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} should be text, not {value!r}.")
    if not value or len(value) > most or "\0" in value:
        raise ValueError(f"{name} should be 1 to {most} characters without NUL, not {value[:40]!r} ({len(value)}).")
    return value


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} should be a whole number, not {value!r}.")
    if not low <= value <= high:
        raise ValueError(f"{name} should be from {low} to {high}, not {value!r}.")
    return value


def _queue(name: str, value: object) -> str:
    return _text(name, value, 100)


def _priority(name: str, value: object) -> int:
    return _whole(name, value, -100, 100)


def _max_attempts(name: str, value: object) -> int | None:
    return None if value is None else _whole(name, value, 1, 1_000_000)


def _timeout(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} should be a number of seconds, not {value!r}.")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} should be a number of seconds above 0, not {value!r}.")
    return float(value)


def _unique_key(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value, 255)


def _moment(name: str, value: object) -> Moment:
    if value is None or isinstance(value, datetime.timedelta):
        return value
    if not isinstance(value, datetime.datetime):
        raise TypeError(f"{name} should be an aware datetime or a timedelta from now, not {value!r}.")
    if value.utcoffset() is None:
        raise ValueError(f"{name} should have a time zone: {value!r} is naive; use django.utils.timezone.")
    return value


CHECKS = {
    "queue": _queue,
    "priority": _priority,
    "run_after": _moment,
    "max_attempts": _max_attempts,
    "timeout": _timeout,
    "unique_key": _unique_key,
    "expires": _moment,
}
