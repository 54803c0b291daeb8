"""Atomic tasks: what they write, rows of Attempt of the kind "effect", is committed with their end or not at all."""

from __future__ import annotations

import os
import time

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from django_simple_queue import current_task, task_options
from django_simple_queue.models import Attempt

from .evidence import note, wait_for


def take_effect() -> None:
    """Once for each run that is committed."""
    Attempt.objects.create(task_id=current_task().id, number=1, ended_at=timezone.now(), kind="effect")  # type: ignore[union-attr]


@task_options(atomic=True)
def adds_one(counter: int, seconds: float = 0.0) -> None:
    """To a row that all tasks share."""
    take_effect()
    Attempt.objects.filter(pk=counter).update(number=F("number") + 1)
    time.sleep(seconds)


@task_options(atomic=True)
def takes_effect_and_waits(name: str) -> str | None:
    take_effect()
    return wait_for(name, "waited")


@task_options(atomic=True)
def takes_effect_and_fails() -> None:
    note("start")
    take_effect()
    raise ValueError("undone")


@task_options(atomic=True)
def takes_effect_and_fails_afterwards() -> None:
    take_effect()
    transaction.on_commit(lambda: 1 / 0)


@task_options(atomic=True)
def takes_effect_and_forks() -> None:
    """Its child comes back first, and must not commit."""
    note("start")
    take_effect()
    if (child := os.fork()) == 0:
        return
    os.waitpid(child, 0)
    take_effect()
    raise ValueError("undone")
