"""The form that adds a task in the admin: what create_task refuses, it refuses, beside the field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .api import session_for
from .exceptions import TaskNotAllowedError
from .models import Task
from .queue.by_hand import task_with_key
from .states import ENDS, QUEUED
from .validation import CHECKS, NewTask, arguments

if TYPE_CHECKING:
    TaskModelForm = forms.ModelForm[Task]
else:
    TaskModelForm = forms.ModelForm

# In progress and Scheduled are not for a person to choose: a claim makes the one, `run_after` the other.
CHOICES = [(status, label) for status, label in Task.STATUS_CHOICES if status == QUEUED or status in ENDS]


class AddTaskForm(TaskModelForm):
    """Only `task` must be given; the rest has create_task's defaults. Once valid, `new_task` may be enqueued."""

    status = forms.TypedChoiceField(
        label=_("Status"),
        coerce=int,
        choices=CHOICES,
        initial=QUEUED,
        required=False,
        help_text=_("Anything but Queued adds a record that never runs."),
    )
    queue = forms.CharField(label=_("Queue"), max_length=100, initial="default", required=False)
    priority = forms.IntegerField(
        label=_("Priority"), initial=0, required=False, help_text=_("-100 to 100, higher first.")
    )

    class Meta:
        model = Task
        fields = (
            "task",
            "args",
            "status",
            "output",
            "queue",
            "run_after",
            "expires",
            "max_attempts",
            "timeout",
            "unique_key",
        )

    new_task: NewTask

    def clean_status(self) -> int:
        return QUEUED if self.cleaned_data["status"] == "" else self.cleaned_data["status"]

    def clean_queue(self) -> str:
        return self.cleaned_data["queue"] or "default"

    def clean_priority(self) -> int:
        return self.cleaned_data["priority"] or 0

    def clean_unique_key(self) -> str | None:
        key: str | None = self.cleaned_data["unique_key"] or None
        if key is not None and (other := task_with_key(session_for(None), key)):
            raise ValidationError(_("Task %(id)s has this key and is unfinished."), params={"id": other})
        return key

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        given = {name: self._checked(name) for name in CHECKS}
        args = self._checked_args()
        if "task" in self.cleaned_data:
            self._collect(self.instance.clean_task)
        if not self.errors:
            self.new_task = NewTask(self.instance.task, args, **given)

    def _checked(self, name: str) -> Any:
        value = self.cleaned_data.get(name)
        try:
            return None if name in self.errors else CHECKS[name](name, value)
        except (TypeError, ValueError, TaskNotAllowedError) as error:
            self.add_error(name, str(error))

    def _checked_args(self) -> str:
        self._collect(self.instance.clean_args)
        if "args" in self.errors:
            return ""
        try:
            return arguments(json.loads(self.instance.args or "{}"))
        except (TypeError, ValueError) as error:
            self.add_error("args", str(error))
            return ""

    def _collect(self, check: Any) -> None:
        try:
            check()
        except ValidationError as error:
            self.add_error(None, error)
