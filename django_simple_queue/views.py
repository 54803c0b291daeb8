"""The status page of a task, as HTML and as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden, JsonResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache

from .api import queue_alias
from .conf import get_settings
from .models import Task
from .status import attempts_of, holder_of, is_over

Access = Callable[[HttpRequest, Task], bool]
REFRESH_SECONDS = 5


@never_cache
def view_task_status(request: HttpRequest) -> HttpResponse:
    """Show the task `task_id` of the query string; with type=json as JSON.

    400 for a bad or unknown id. 403 for who may not see it, in a way that does not tell whether it exists.
    """
    access = _access()
    if access == "staff" and not _is_staff(request):
        return _forbidden()
    given = request.GET.get("task_id")
    if not given:
        return HttpResponseBadRequest("Missing task_id parameter.")
    try:
        task_id = uuid.UUID(given)
    except ValueError:
        return HttpResponseBadRequest("Invalid task_id format.")
    # Where it is written: a replica may not have it yet.
    task = Task.objects.using(queue_alias()).filter(pk=task_id).first()
    if task is None:
        if callable(access) and not _is_staff(request):
            return _forbidden()
        return HttpResponseBadRequest("Task not found.")
    if callable(access) and not access(request, task):
        return _forbidden()
    return _as_json(task) if request.GET.get("type") == "json" else _as_page(request, task)


def _access() -> str | Access:
    """ "staff", "public" or the project's own function. A setting that is none of these lets nobody in."""
    access = get_settings().status_access
    if access in ("staff", "public") or callable(access):
        return cast("str | Access", access)
    try:
        found = import_string(access)
    except (ImportError, TypeError, AttributeError) as error:
        raise ImproperlyConfigured(f"DJANGO_SIMPLE_QUEUE_STATUS_ACCESS is {access!r}: {error}") from error
    if not callable(found):
        raise ImproperlyConfigured(f"DJANGO_SIMPLE_QUEUE_STATUS_ACCESS is {access!r}, which is not callable.")
    return cast(Access, found)


def _is_staff(request: HttpRequest) -> bool:
    user: Any = getattr(request, "user", None)  # there is none without Django's authentication middleware
    return bool(getattr(user, "is_active", False) and getattr(user, "is_staff", False))


def _forbidden() -> HttpResponse:
    return HttpResponseForbidden("Not allowed.")


def _as_json(task: Task) -> HttpResponse:
    return JsonResponse(task.as_dict, headers={"X-Content-Type-Options": "nosniff"})


def _as_page(request: HttpRequest, task: Task) -> HttpResponse:
    context = {
        "task": task,
        "attempts": attempts_of(task),
        "holder": holder_of(task),
        "refresh": None if is_over(task) else REFRESH_SECONDS,
    }
    return render(request, "django_simple_queue/task_status.html", context)
