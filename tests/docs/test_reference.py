"""The reference leaves nothing out and names nothing that is not there."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from django.core.management import BaseCommand, load_command_class
from django.db import connection
from django.db.models import Model
from django.dispatch import Signal

import django_simple_queue
from compat_matrix import matrix, report
from django_simple_queue import checks, claims, create_task, signals
from django_simple_queue.backends import choose
from django_simple_queue.conf import Settings
from django_simple_queue.models import Attempt, Lease, Task, Worker

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def first_column(page: str, section: str | None = None) -> set[str]:
    """What is named in the first column of the page's tables, or of those under one heading."""
    text = (DOCS / page).read_text()
    if section is not None:
        text = re.split(r"^## ", text.partition(f"## {section}\n")[2], maxsplit=1, flags=re.M)[0]
    cells = re.findall(r"^\| (`[^|]+) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def options_of(name: str) -> set[str]:
    """Those that are the command's own."""
    command = load_command_class("django_simple_queue", name)
    plain, parser = BaseCommand().create_parser("manage.py", "any"), command.create_parser("manage.py", name)
    common = {option for action in plain._actions for option in action.option_strings}
    return {option for action in parser._actions for option in action.option_strings} - common


def test_every_setting_is_in_the_reference() -> None:
    assert first_column("reference/settings.md") == {field.name.upper() for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("command", ["task_worker", "task_doctor"])
def test_every_option_is_in_the_reference(command: str) -> None:
    assert first_column("reference/commands.md", command) == options_of(command)


def test_every_command_is_in_the_reference() -> None:
    folder = Path(django_simple_queue.__file__).parent / "management" / "commands"
    commands = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"^## (.*)$", (DOCS / "reference/commands.md").read_text(), re.M)) == commands


def test_every_check_is_in_the_reference() -> None:
    source = Path(checks.__file__).read_text()
    assert first_column("reference/checks.md") == set(re.findall(r"\{TAG\}\.([EW]\d+)", source))


@pytest.mark.parametrize("model", [Task, Attempt, Worker, Lease])
def test_every_column_is_in_the_reference(model: type[Model]) -> None:
    assert first_column("reference/rows.md", model.__name__) == {field.column for field in model._meta.concrete_fields}


def test_every_status_is_in_the_reference() -> None:
    text = (DOCS / "reference/rows.md").read_text()
    shown = {int(value): name for value, name in re.findall(r"^\| (\d) \| `Task\.(\w+)` \|", text, re.M)}
    assert shown.keys() == dict(Task.STATUS_CHOICES).keys()
    assert all(getattr(Task, name) == value for value, name in shown.items())


def test_every_signal_and_argument_is_in_the_reference() -> None:
    page = (DOCS / "reference/python.md").read_text()
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
    names += inspect.signature(create_task).parameters
    assert [name for name in names if name not in page] == []


@pytest.mark.django_db
def test_the_readme_names_the_strategy_of_this_database() -> None:
    product = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}.get(connection.vendor)
    product = product or ("MariaDB" if connection.mysql_is_mariadb else "MySQL")
    rows = re.findall(r"^\| (.*) \| `(\w+)` \| .* \|$", (ROOT / "README.md").read_text(), re.M)
    assert choose(connection).strategy.name in [strategy for on, strategy in rows if product in on]


def test_every_public_name_is_in_the_reference() -> None:
    page = (DOCS / "reference/python.md").read_text()
    assert [name for name in (*django_simple_queue.__all__, *claims.__all__) if f"`{name}" not in page] == []


def test_every_argument_of_a_claim_and_every_act_of_a_lease_is_in_the_reference() -> None:
    page = (DOCS / "reference/python.md").read_text()
    names = [*inspect.signature(claims.claim_rows).parameters, *inspect.signature(claims.lease).parameters]
    names += [name for name in vars(claims.lease) if not name.startswith("_")]
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []


def test_the_readme_has_the_matrix_as_it_is() -> None:
    assert report.table(matrix.load()).strip() in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md"))], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not link.startswith("http") and not (page.parent / link).exists()] == []
