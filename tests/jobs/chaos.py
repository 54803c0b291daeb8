"""Tasks that leave evidence: one line in a file for each event, appended atomically: key, event, pid, time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from django.db.models import F

from django_simple_queue import task_options


def mark(key: str, event: str) -> None:
    handle = os.open(os.environ["DSQ_EVIDENCE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, f"{key} {event} {os.getpid()} {time.time():.6f}\n".encode())
    finally:
        os.close(handle)


def span(key: str, seconds: float) -> None:
    mark(key, "start")
    time.sleep(seconds)
    mark(key, "end")


def fails_once(key: str, seconds: float) -> None:
    mark(key, "start")
    time.sleep(seconds)
    flag = f"{os.environ['DSQ_EVIDENCE']}.{key}"
    failed_before = os.path.exists(flag)
    open(flag, "w").close()
    mark(key, "end")
    if not failed_before:
        raise RuntimeError(f"{key} fails once")


def yields(key: str, seconds: float) -> Iterator[str]:
    mark(key, "start")
    for i in range(3):
        yield f"{key}/{i} "
        time.sleep(seconds / 3)
    mark(key, "end")


@task_options(atomic=True)
def adds_one(key: str, seconds: float, row: int) -> None:
    """One effect, whatever happens: a number in a row."""
    from django_simple_queue.models import Attempt

    mark(key, "start")
    try:
        Attempt.objects.filter(pk=row).update(number=F("number") + 1)
        time.sleep(seconds)
        mark(key, "end")
    except BaseException:  # its connection was cut
        mark(key, "failed")
        raise
