"""The same tasks for backends of django.tasks, which find a task by its module and name."""

from __future__ import annotations

from django.tasks import task

from benchmarks import tasks as plain


@task
def noop(n: int) -> None:
    plain.noop(n)


@task
def sleep1(n: int) -> None:
    plain.sleep1(n)


@task
def sleep20(n: int) -> None:
    plain.sleep20(n)


@task
def stamp(n: int) -> None:
    plain.stamp(n)
