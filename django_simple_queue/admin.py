"""Tasks, workers and attempts in the admin: everything can be read, state is changed by the queue alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import display_for_value
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .api import cancel_task, queue_alias, retry_task, session_for
from .forms import AddTaskForm
from .models import Attempt, Task, Worker
from .queue.by_hand import add_by_hand, enqueue_again
from .status import attempts_of, holder_of

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
else:
    AnyAdmin = admin.ModelAdmin

LONG = ("args", "output", "error", "log")


class QueueAdmin(AnyAdmin):
    """Reads where the queue is written, and never counts a whole table."""

    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).using(queue_alias())


class ReadOnlyAdmin(QueueAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class TaskList(ChangeList):
    """Leaves the long texts in the database: a hundred of them can be a gigabyte."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        unseen = [name for name in LONG if name not in self.list_display]
        return super().get_queryset(*args, **kwargs).defer(*unseen)


@admin.register(Task)
class TaskAdmin(QueueAdmin):
    """Tasks can be added, enqueued, cancelled, retried and deleted; what a run left can only be read."""

    form = AddTaskForm
    ordering = ["-modified"]
    list_display = ("id", "task", "status_page_link", "created", "modified", "queue", "priority")
    list_filter = ("status", "created", "modified")
    sortable_by = ("id", "created", "modified")  # by others, a large table is sorted for nothing
    search_fields = ("id", "task", "output")
    actions = ["enqueue_tasks", "cancel_tasks", "retry_tasks"]

    add_fieldsets = (
        (None, {"fields": ("task", "args", "queue", "priority")}),
        (_("When"), {"fields": ("run_after", "expires")}),
        (_("How often and how long"), {"fields": ("max_attempts", "timeout", "unique_key")}),
        (_("As a record"), {"fields": ("status", "output"), "classes": ("collapse",)}),
    )
    fieldsets = (
        (None, {"fields": ("id", "task", "args_text", "status", "held_by")}),
        (_("What came of it"), {"fields": ("output_text", "error_text", "log_text", "attempts")}),
        (_("When"), {"fields": ("created", "modified", "run_after", "expires", "started_at", "finished_at")}),
        (
            _("How"),
            {
                "fields": (
                    *("queue", "priority", "seq", "max_attempts", "attempt", "losses", "timeout"),
                    *("unique_key", "cancel_requested", "worker", "worker_pid"),
                )
            },
        ),
    )

    # What may be done

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """For the actions as anywhere in the admin; a single task's page is never a form."""
        return obj is None and super().has_change_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Task | None = None) -> Any:
        return self.add_fieldsets if obj is None else super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        shown = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        return tuple(dict.fromkeys(shown + [field.name for field in Task._meta.fields]))

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        if change:  # there is no form to change a task with; should one be made, it writes nothing here
            return
        status, output = form.cleaned_data["status"], form.cleaned_data["output"]
        obj.pk = add_by_hand(session_for(None), form.new_task, status=status, output=output)
        obj._state.adding, obj._state.db = False, queue_alias()

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TaskList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """A whole id is looked up by the primary key; anything else is looked for in all rows."""
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("Status"))
    def status_page_link(self, obj: Task) -> str:
        label = str(obj.get_status_display())  # type: ignore[attr-defined, unused-ignore]
        try:
            url = reverse("django_simple_queue:task")
        except NoReverseMatch:  # the project has no status page
            return label
        return format_html('<a href="{}?task_id={}" target="_blank">{}</a>', url, obj.pk, label)

    @admin.action(description=_("Enqueue"), permissions=["change"])
    def enqueue_tasks(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        updated = enqueue_again(queryset)
        message = ngettext("%d task was successfully enqueued.", "%d tasks were successfully enqueued.", updated)
        self.message_user(request, message % updated, messages.SUCCESS)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel_tasks(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        done, not_done = self._each(queryset, cancel_task)
        self._say(
            request,
            done,
            messages.SUCCESS,
            ngettext("%d task was cancelled or asked to stop.", "%d tasks were cancelled or asked to stop.", done),
        )
        self._say(
            request,
            not_done,
            messages.WARNING,
            ngettext("%d task had already ended.", "%d tasks had already ended.", not_done),
        )

    @admin.action(description=_("Retry from the start"), permissions=["change"])
    def retry_tasks(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        done, not_done = self._each(queryset, retry_task)
        self._say(
            request, done, messages.SUCCESS, ngettext("%d task will run again.", "%d tasks will run again.", done)
        )
        self._say(
            request,
            not_done,
            messages.WARNING,
            ngettext(
                "%d task was left as it is: it has not ended, or another one has its unique key now.",
                "%d tasks were left as they are: they have not ended, or others have their unique keys now.",
                not_done,
            ),
        )

    def _each(self, queryset: QuerySet[Task], act: Callable[..., bool]) -> tuple[int, int]:
        results = [act(task_id, using=queryset.db) for task_id in list(queryset.values_list("pk", flat=True))]
        return results.count(True), results.count(False)

    def _say(self, request: HttpRequest, count: int, level: int, message: str) -> None:
        if count:
            self.message_user(request, message % count, level)

    # One task

    @admin.display(description=_("Priority"))
    def priority(self, obj: Task) -> int:
        return obj.priority

    @admin.display(description=_("Held by"))
    def held_by(self, obj: Task) -> str:
        return holder_of(obj)

    @admin.display(description=_("Arguments"))
    def args_text(self, obj: Task) -> str:
        return _as_typed(obj.args)

    @admin.display(description=_("Output"))
    def output_text(self, obj: Task) -> str:
        return _as_typed(obj.output)

    @admin.display(description=_("Error"))
    def error_text(self, obj: Task) -> str:
        return _as_typed(obj.error)

    @admin.display(description=_("Log"))
    def log_text(self, obj: Task) -> str:
        return _as_typed(obj.log)

    @admin.display(description=_("Failed and lost runs"), empty_value="-")
    def attempts(self, obj: Task) -> str | None:
        rows = (
            (a.number, a.kind, display_for_value(a.ended_at, "-"), a.worker, _as_typed(a.error))
            for a in attempts_of(obj)
        )
        lines = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        return format_html("<table>{}</table>", lines) if lines else None


def _as_typed(text: str | None) -> str:
    return format_html('<pre style="margin:0;white-space:pre-wrap">{}</pre>', text) if text else "-"


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "idle", "host", "pid", "started_at", "beat_at", "runs")
    ordering = ["state", "name"]


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("task_id", "number", "kind", "worker", "started_at", "ended_at")
    list_display_links = ("number",)
    ordering = ["-id"]
    sortable_by = ()
    search_fields = ("task_id__exact",)
    search_help_text = _("A task's id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Attempt], search_term: str
    ) -> tuple[QuerySet[Attempt], bool]:
        try:
            return queryset.filter(task_id=uuid.UUID(search_term.strip())), False
        except ValueError:
            return (queryset if not search_term else queryset.none()), False
