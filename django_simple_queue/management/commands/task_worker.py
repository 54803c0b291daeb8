"""manage.py task_worker"""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import connections

from django_simple_queue.api import queue_alias
from django_simple_queue.management.help import HelpFormatter
from django_simple_queue.worker.fleet import run_worker
from django_simple_queue.worker.options import Options

# Options of the command that a worker's Options have under the same name.
SAME = ("processes", "threads", "burst", "max_tasks", "max_rss", "poll_interval", "strategy", "shutdown_timeout")
EPILOG = """
A worker claims tasks, runs them and stores how they ended, until it gets SIGTERM or Ctrl-C: it then claims no more,
finishes what runs within --shutdown-timeout, and gives the rest back. A second signal ends it at once.

exit codes: 0 stopped as asked, or a burst with nothing left to do; 2 it can never work like this, and the message says
why; 3 the shutdown timeout cut tasks off, which are queued again.
"""


class Command(BaseCommand):
    help = "Run queued tasks."
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, epilog=EPILOG, formatter_class=HelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--processes", type=above(0), default=1, metavar="N", help="runner processes (default 1)")
        add("--threads", type=above(0), default=1, metavar="N", help="tasks at a time in each process (default 1)")
        add("--queue", action="append", default=[], metavar="NAME", help="only this queue; several: in the order given")
        add("--database", action="append", default=[], metavar="ALIAS", help="where tasks are; several: all of them")
        add("--burst", action="store_true", help="exit once nothing is runnable")
        add("--max-tasks", type=above(0), metavar="N", help="replace a runner after N tasks")
        add("--max-rss", type=above(0), metavar="MB", help="replace a runner that has grown above this")
        add("--poll-interval", type=above(0, float), metavar="S", help="seconds between looks (default: adaptive)")
        add("--strategy", metavar="NAME", help="claim strategy (default: chosen for the database)")
        add("--shutdown-timeout", type=above(-1, float), default=8.0, metavar="S", help="for what runs (default 8)")
        add("--name", help="the worker's name in rows and logs (default HOST-PID)")
        add("--reload", action="store_true", help="start again when the project's code changes (development)")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            self.check(tags=["django_simple_queue"])
        except SystemCheckError as error:
            raise CommandError(str(error), returncode=2) from None
        aliases = list(dict.fromkeys(given["database"])) or [queue_alias()]
        for alias in aliases:
            if alias not in connections:
                known = ", ".join(sorted(connections))
                raise CommandError(f"There is no database {alias!r} in DATABASES; there is {known}.", returncode=2)
        if not hasattr(os, "fork"):
            raise CommandError("task_worker needs os.fork(), which this platform does not have.", returncode=2)
        if given["reload"]:
            from django_simple_queue.worker.reload import run_reloading

            sys.exit(run_reloading())
        name = given["name"] or f"{socket.gethostname()}-{os.getpid()}"
        sys.exit(run_worker([self.options(alias, name[:128], given) for alias in aliases]))

    def options(self, alias: str, name: str, given: dict[str, Any]) -> Options:
        return Options(
            alias=alias,
            name=name,
            queues=tuple(dict.fromkeys(given["queue"])),
            verbosity=given["verbosity"],
            **{key: given[key] for key in SAME},
        )


def above(low: float, kind: Callable[[str], Any] = int) -> Callable[[str], Any]:
    """An argparse type: a number above `low`."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is no number") from None
        if not value > low:
            raise ArgumentTypeError(f"it should be above {low:g}, not {text}")
        return value

    return parse
