"""Callables that tests run as tasks: one thing each."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

not_callable = 42


def noop(**kwargs: Any) -> None:
    """Do nothing, with whatever arguments."""


def echo(value: Any = None) -> Any:
    return value


def fail(text: str = "failed on purpose") -> None:
    raise ValueError(text)


def count_to(last: int) -> Iterator[str]:
    for i in range(1, last + 1):
        yield f"{i} "


async def awaited(value: Any = None) -> Any:
    return value


def traced(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@traced
def decorated(value: Any = None) -> Any:
    return value


@traced
def decorated_stream(last: int) -> Iterator[str]:
    yield from count_to(last)


echo_five = functools.partial(echo, 5)
disguised_system = traced(os.system)


class Greeter:
    """A class is a callable too; what it returns is the instance."""

    def __init__(self, name: str = "nobody") -> None:
        self.name = name

    def __str__(self) -> str:
        return f"Hello, {self.name}"

    @staticmethod
    def never() -> None:
        """Two levels deep in its module: no task's name reaches it."""
