"""The reference leaves nothing out and names nothing that is not there."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from django.core.management import BaseCommand, load_command_class

import django_simple_queue
from compat_matrix import matrix, report
from django_simple_queue.conf import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def first_column(page: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", (DOCS / page).read_text(), re.M))


def test_every_setting_is_in_the_reference() -> None:
    assert first_column("reference/settings.md") == {field.name.upper() for field in dataclasses.fields(Settings)}


def test_every_option_of_the_worker_is_in_the_reference() -> None:
    command = load_command_class("django_simple_queue", "task_worker")
    plain = BaseCommand().create_parser("manage.py", "any")
    common = {option for action in plain._actions for option in action.option_strings}
    parser = command.create_parser("manage.py", "task_worker")
    options = {option for action in parser._actions for option in action.option_strings} - common
    assert first_column("reference/commands.md") == options


def test_every_public_name_is_in_the_reference() -> None:
    page = (DOCS / "reference/python.md").read_text()
    assert [name for name in django_simple_queue.__all__ if f"`{name}" not in page] == []


def test_the_readme_has_the_matrix_as_it_is() -> None:
    assert report.table(matrix.load()).strip() in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "UPGRADING.md", *sorted(DOCS.rglob("*.md"))], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not link.startswith("http") and not (page.parent / link).exists()] == []
