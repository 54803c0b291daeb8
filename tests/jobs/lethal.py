"""Callables that take their process down, or leave it in disorder."""

from __future__ import annotations

import asyncio
import locale
import os
import signal
import sys
import time
from typing import NoReturn

from django.db import connection, connections, transaction

from django_simple_queue.exceptions import TaskTimeout

from .evidence import note


def exits() -> NoReturn:
    note("start")
    os._exit(3)


def segfaults() -> None:
    note("start")
    os.kill(os.getpid(), signal.SIGSEGV)


def is_killed() -> None:
    note("start")
    os.kill(os.getpid(), signal.SIGKILL)


def leaves() -> NoReturn:
    note("start")
    sys.exit(0)


def interrupts() -> NoReturn:
    note("start")
    raise KeyboardInterrupt


def forks() -> None:
    note("start")
    os.fork()


def closes_everything() -> None:
    note("start")
    os.closerange(3, 1000)


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
    note("start")
    transaction.set_autocommit(False)
    connection.cursor().execute("SELECT 1")


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
