"""Callables that fail, print and log in unusual ways."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from django.utils import timezone, translation

from django_simple_queue.exceptions import TaskTimeout

from .evidence import note


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


def raises_what_has_no_repr() -> NoReturn:
    note("start")
    raise Unspeakable


def raises_a_timeout_itself() -> NoReturn:
    raise TaskTimeout


def returns_what_has_no_str() -> Any:
    return Unspeakable()


def writes_bytes() -> None:
    sys.stdout.write(b"bytes")  # type: ignore[arg-type]


def logs_wrongly() -> str:
    logging.getLogger("shop").warning("%d of %d", "one")
    return "went on"


def says(text: str, times: int = 1) -> None:
    for _ in range(times):
        print(text)


def speaks_everywhere() -> None:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.writelines(["a\n", "b\n"])
    logging.getLogger("shop").warning("logged")


def sets_language_and_zone() -> str:
    before = f"{translation.get_language()} {timezone.get_current_timezone_name()}"
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    return before


def leaves_a_coroutine_behind() -> str:
    async def for_ever() -> None:
        await asyncio.sleep(3600)

    loop = asyncio.get_event_loop()
    asyncio.ensure_future(for_ever(), loop=loop)  # noqa: RUF006
    loop.run_until_complete(asyncio.sleep(0))
    return str(len(asyncio.all_tasks(loop)))


def yields_what_it_says(count: int) -> Iterator[str]:
    for i in range(count):
        print(f"line {i}")
        yield f"{i} "


async def gives_asynchronously(count: int) -> Any:
    for i in range(count):
        await asyncio.sleep(0)
        yield f"{i} "


def leaves_a_thread_that_prints() -> None:
    threading.Thread(target=print, args=("from elsewhere",)).start()
