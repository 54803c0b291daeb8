"""What a person wants to know of one task beyond its columns; for the status page and the admin."""

from __future__ import annotations

from django.utils.translation import gettext as _

from .models import Attempt, Task, Worker
from .records import worker_of
from .states import ENDS, PROGRESS, QUEUED, SCHEDULED

SHOWN = 20  # of a long history, the latest


def attempts_of(task: Task) -> list[Attempt]:
    """Its runs that failed or were lost, in their order; of many, the latest."""
    latest = Attempt.objects.using(task._state.db).filter(task_id=task.pk).order_by("-id")[:SHOWN]
    return list(latest)[::-1]


def is_over(task: Task) -> bool:
    """Nothing about it will change any more unless somebody acts."""
    return task.status in ENDS and task.holder is None


def holder_of(task: Task) -> str:
    """Who has the task now, in words; read together with its status, since a person may set that meanwhile."""
    if task.holder is None:
        if task.status == PROGRESS:
            return _("Nobody: a worker of version 0.1 left it in progress. Retry or cancel it.")
        return _("Nobody")
    worker_id = worker_of(task.holder)
    worker = Worker.objects.using(task._state.db).filter(pk=worker_id).first()
    if worker is None:
        who = _("A worker that is gone: the next running one takes it back.")
    elif worker.state == Worker.DEAD:
        who = _("Worker %(name)s, which is dead: the next running one takes it back.") % {"name": worker.name}
    else:
        who = _("Worker %(name)s") % {"name": worker.name}
    return " ".join(filter(None, (who, _what_follows(task))))


def _what_follows(task: Task) -> str:
    if task.cancel_requested:
        return _("(asked to cancel)")
    if task.status in (QUEUED, SCHEDULED):
        return _("(runs once more afterwards)")
    if task.status in ENDS:
        return _("(still running)")
    return ""
