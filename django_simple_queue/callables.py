"""From a dotted name to the callable that a task may run, and from a callable to its name."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings as django_settings
from django.core.signals import setting_changed

from .conf import get_settings
from .exceptions import TaskNotAllowedError
from .options import PLAIN, TaskOptions

MAX_NAME = 255
OWN_PACKAGE = __name__.partition(".")[0]
REMEDY = 'Add it to DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS, or a pattern such as "myapp.tasks.*".'


class Resolved(NamedTuple):
    """A callable, whether calling it gives a generator to be read out, and what it says of itself."""

    call: Callable[..., Any]
    streams: bool
    options: TaskOptions


def check_name(path: object) -> str:
    """The dotted name, if it can be one: `package.module.function`."""
    if not isinstance(path, str):
        raise TypeError(f"task should be a dotted name or a module-level function, not {path!r}.")
    if len(path) > MAX_NAME:
        raise ValueError(f"task is {len(path)} characters long, at most {MAX_NAME} are stored: {path[:60]!r}...")
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"task {path!r} is no dotted name such as 'myapp.tasks.send_mail'.")
    return path


def name_of(target: object) -> str:
    """The dotted name of `target`: a name already, or a function that its module has under its own name."""
    if isinstance(target, str) or not callable(target):
        return check_name(target)
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    found = getattr(importlib.import_module(module), name, None) if module and name and module != "__main__" else None
    if found is not target:
        raise ValueError(
            f"task {target!r} cannot be found again by name: pass a function at the top of an importable module."
        )
    return check_name(f"{module}.{name}")


def is_allowed(path: str) -> bool:
    """Whether the settings let tasks run this name; where it is defined is looked at when it is imported."""
    allowed = get_settings().allowed_tasks
    module = path.rpartition(".")[0]
    if allowed is None:
        return _under(module, _project_roots())
    return path in allowed or any(p.endswith(".*") and _under(module, (p[:-2],)) for p in allowed)


def check_allowed(path: str) -> str:
    if is_allowed(path):
        return path
    allowed = get_settings().allowed_tasks
    where = (
        f"it is in no installed app of this project ({', '.join(_project_roots()) or 'none'})"
        if allowed is None
        else "it is not in DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS"
    )
    raise TaskNotAllowedError(f"Task {path!r} is not in the allowed list: {where}. {REMEDY}")


def resolve(path: str) -> Resolved:
    """The callable that `path` names, ready to be called.

    Raises: TypeError and ValueError for no name, TaskNotAllowedError, ImportError, AttributeError.
    """
    found = _resolved.get(path)
    if found is None:
        found = _resolved[path] = _resolve(check_allowed(check_name(path)))
    return found


_resolved: dict[str, Resolved] = {}


def _resolve(path: str) -> Resolved:
    module_name, _, name = path.rpartition(".")
    module = importlib.import_module(module_name)
    try:
        target = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {module_name!r} has no {name!r} (task {path!r}).") from None
    if not callable(target):
        raise TypeError(f"{path!r} is not callable")
    innermost = _unwrap(target)
    home = getattr(innermost, "__module__", None) or ""
    allowed = get_settings().allowed_tasks
    if (allowed is None or path not in allowed) and not is_allowed(f"{home}.{name}"):
        raise TaskNotAllowedError(
            f"Task {path!r} is not in the allowed list: it is defined in {home!r}, not in this project. {REMEDY}"
        )
    streams = inspect.isgeneratorfunction(innermost) or inspect.isasyncgenfunction(innermost)
    return Resolved(target, streams, getattr(target, "__task_options__", PLAIN))


def _unwrap(target: Any) -> Any:
    while True:
        if isinstance(target, functools.partial):
            target = target.func
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        else:
            return target


def _under(module: str, roots: tuple[str, ...]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


@functools.lru_cache(maxsize=1)
def _project_roots() -> tuple[str, ...]:
    """Packages whose callables may run without an allow-list."""
    names = [config.name for config in apps.get_app_configs()]
    package, dot, _ = str(getattr(django_settings, "SETTINGS_MODULE", None) or "").partition(".")
    roots = [n for n in names if n.partition(".")[0] not in ("django", OWN_PACKAGE)]
    return tuple(dict.fromkeys(roots + ([package] if dot else [])))


def forget(**kwargs: object) -> None:
    """Look at settings and modules anew."""
    _resolved.clear()
    _project_roots.cache_clear()


setting_changed.connect(forget, dispatch_uid="django_simple_queue.callables")
