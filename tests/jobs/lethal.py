"""Callables that take their process down, or leave it in disorder."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import itertools
import locale
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from django.db import connection, connections, transaction
from django.utils import timezone

from django_simple_queue import current_task
from django_simple_queue.exceptions import TaskTimeout
from django_simple_queue.models import Attempt, Task

from .evidence import note


def exits() -> NoReturn:
    note("start")
    os._exit(3)


def segfaults() -> None:
    note("start")
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    ctypes.string_at(0)


def is_killed() -> None:
    """As by a kernel that is out of memory."""
    note("start")
    os.kill(os.getpid(), signal.SIGKILL)


def kills_its_worker() -> None:
    """All of its processes end with the supervisor."""
    note("start")
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def runs_out_of_memory() -> None:
    note("start")
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**25, before[1]))
    try:
        kept = []
        while True:
            kept.append(bytearray(2**20))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def leaves() -> NoReturn:
    note("start")
    sys.exit(0)


def interrupts() -> NoReturn:
    note("start")
    raise KeyboardInterrupt


def forks() -> str:
    """Its child comes back, to what the worker does after a task."""
    note("start")
    Task.objects.count()
    if (child := os.fork()) == 0:
        return "the child's"
    note("forked", child)
    os.waitpid(child, 0)
    Task.objects.count()  # its connection is still its own
    return "the parent's"


def closes_everything() -> None:
    note("start")
    os.closerange(3, 1000)


def closes_and_opens() -> None:
    """So that the numbers of what was open now belong to something else."""
    closes_everything()
    for _ in range(64):
        os.open(os.devnull, os.O_RDWR)


def moves_and_sets() -> None:
    note("start")
    os.chdir("/")
    os.environ["TZ"] = "Asia/Tokyo"
    locale.setlocale(locale.LC_ALL, "C")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


def closes_the_loop() -> None:
    note("start")
    asyncio.get_event_loop().close()


def leaves_a_transaction() -> None:
    """With its own row locked, or all of the database, and something written."""
    note("start")
    transaction.set_autocommit(False)
    task = current_task()
    assert task
    Attempt.objects.create(task_id=task.id, number=1, ended_at=timezone.now(), kind="effect")
    Task.objects.filter(pk=task.id).update(log="mine")


def closes_connections() -> None:
    note("start")
    connections.close_all()


def uses_the_loop() -> str:
    return str(asyncio.get_event_loop().run_until_complete(asyncio.sleep(0, "looped")))


def where_am_i() -> str:
    return os.getcwd()


def ignores_its_timeout() -> None:
    note("start")
    while True:
        try:
            time.sleep(60)
        except TaskTimeout:
            note("ignored")


def ignores_its_timeout_in_c() -> None:
    """No Python code runs, so that no signal is heard; other threads go on."""
    note("start")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def stops_all_threads() -> None:
    """C code that keeps the interpreter to itself."""
    note("start")
    sum(itertools.repeat(0, 2**62))


def changes_its_session(statements: list[str]) -> None:
    note("start")
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def changes_its_settings() -> None:
    """Where its connection leads, for itself and whoever uses it later."""
    note("start")
    connection.close()
    connection.settings_dict.update(NAME="/nowhere/at/all", HOST="127.0.0.1", PORT="1")
