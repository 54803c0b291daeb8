"""manage.py task_doctor"""

from __future__ import annotations

import json
import shutil
import textwrap
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from django_simple_queue.api import queue_alias
from django_simple_queue.backends.health import INFO, UNSAFE, WARNING
from django_simple_queue.doctor import claimed_from, examine
from django_simple_queue.management.help import HelpFormatter

EPILOG = """
Reads and changes nothing; works before `migrate`, and before an upgrade from version 0.1.

exit codes: 0 nothing unsafe was found (there may be warnings); 1 something is unsafe, or it could not be examined.
"""
PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite", "oracle": "Oracle"}
INDENT = 10


class Command(BaseCommand):
    help = "Say how tasks are claimed on each database, why, and what about it is not as it should be."
    requires_system_checks = ["django_simple_queue"]

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, epilog=EPILOG, formatter_class=HelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument(
            "--database",
            action="append",
            default=[],
            metavar="ALIAS",
            help="what to examine (default: the queue's, and those that DJANGO_SIMPLE_QUEUE_CLAIMS claims from)",
        )

    def handle(self, *args: Any, **given: Any) -> None:
        asked = given["database"]
        aliases = list(dict.fromkeys(asked or [queue_alias(), *claimed_from()]))
        for alias in aliases:
            if alias not in connections:
                known = ", ".join(sorted(connections))
                raise CommandError(f"There is no database {alias!r} in DATABASES; there is {known}.")
        # Where it was not asked for, the queue's tables need not be.
        reports = {alias: examine(alias, queue=bool(asked) or alias == queue_alias()) for alias in aliases}
        if given["json"]:
            self.stdout.write(json.dumps({"databases": reports}, indent=2))
        else:
            for alias, report in reports.items():
                self.show(alias, report)
        unsafe = [alias for alias, report in reports.items() if any(f["level"] == UNSAFE for f in report["findings"])]
        if unsafe:
            raise CommandError(f"Something is unsafe on database {', '.join(unsafe)}: see above.", returncode=1)

    def show(self, alias: str, report: dict[str, Any]) -> None:
        product = " ".join(filter(None, (PRODUCTS.get(report["vendor"], report["vendor"]), report["version"])))
        self.line("database", ", ".join(filter(None, (alias, product, report["driver"], report["isolation"]))))
        self.line("strategy", f"{report['strategy'] or 'none'}: {report['why']}")
        for name, why in report["passed_over"].items():
            self.line("not", f"{name}: {why}")
        for claim in report["claims"]:
            self.line("claim", f"{claim['name']}: {claim['strategy'] or 'matches nothing'}")
            if claim["plan"] is not None:
                self.line("", self.plan(claim))
        for finding in report["findings"]:
            self.line(finding["level"], finding["what"])
            self.line("", f"-> {finding['fix']}")
        if not report["findings"]:
            self.line("healthy", "nothing to say")
        self.stdout.write("")

    @staticmethod
    def plan(claim: dict[str, Any]) -> str:
        by = claim["index"] or "no index"
        how = "read from its end on" if claim["scans"] else "where it matches"
        return f"by {by}, {how}, {'sorted' if claim['sorts'] else 'without a sort'}: {claim['plan']}"

    def line(self, head: str, text: str) -> None:
        width = max(40, min(120, shutil.get_terminal_size((100, 24)).columns)) - INDENT
        # Ids and commands stay whole, to be copied.
        lines = textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False) or [""]
        self.stdout.write(self.colour(head, head.ljust(INDENT)) + f"\n{' ' * INDENT}".join(lines))

    def colour(self, head: str, text: str) -> str:
        styles = {UNSAFE: self.style.ERROR, WARNING: self.style.WARNING, INFO: self.style.NOTICE}
        style = styles.get(head) or self.style.MIGRATE_LABEL
        return style(text) if self.stdout.isatty() else text
