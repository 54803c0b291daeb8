"""Callables for tests of how a task is run."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.utils import timezone

from django_simple_queue import task_options

not_callable = 42


def give(value: Any = None) -> Any:
    return value


def talk() -> None:
    print("printed")
    print("to stderr", file=sys.stderr)
    logging.getLogger(__name__).warning("logged")


def fail() -> None:
    raise ValueError("failed")


def yield_and_fail() -> Iterator[str]:
    print("before")
    yield "one "
    yield "two "
    raise ValueError("three")


def yield_a_number() -> Iterator[int]:
    yield 1


def count() -> Iterator[str]:
    for n in range(3):
        yield f"{n} "


async def count_async() -> AsyncIterator[str]:
    for n in range(3):
        yield f"{n} "


async def wait() -> str:
    return "awaited"


def leave() -> None:
    sys.exit(0)


def interrupt() -> None:
    raise KeyboardInterrupt


@task_options(retry_on=ValueError)
def worth_it() -> None:
    raise ValueError("again")


@task_options(retry_on=ValueError)
def not_worth_it() -> None:
    raise KeyError("never")


@task_options(give_up_on=(KeyError, ValueError))
def hopeless() -> None:
    raise ValueError("never")


@task_options(atomic=True)
def write() -> None:
    from django_simple_queue.models import Attempt

    Attempt.objects.create(task_id=uuid.uuid4(), number=1, ended_at=timezone.now(), kind="effect")


@task_options(atomic=True)
def write_and_fail() -> None:
    write()
    raise ValueError("undone")
