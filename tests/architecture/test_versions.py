"""matrix.toml is the only list of versions; tests/compat_matrix holds pyproject.toml and CI against it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from compat_matrix import matrix

from .source import strings

ROOT = Path(__file__).parents[2]
ROWS = matrix.load()
LISTED = {*ROWS.pythons, *(django.version for django in ROWS.djangos), *(row.version for row in ROWS.databases)}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# "3" is a version of SQLite, and of many other things.
VERSIONS = sorted(version for version in LISTED if "." in version)


def versions_in(source: str) -> list[str]:
    """Versions of the matrix that a module's strings name as its own, docstrings and remarks aside."""
    tree = ast.parse(source)
    remarks = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
    texts = [text for text in strings(tree) if text not in remarks]
    return [text for text in texts if any(re.search(rf"(?<![\d.]){re.escape(v)}(?![\d.])", text) for v in VERSIONS)]


@pytest.mark.parametrize(
    "path", [ROOT / "noxfile.py", *sorted((ROOT / "compat_matrix").glob("*.py"))], ids=lambda path: path.name
)
def test_no_other_module_lists_versions(path: Path) -> None:
    assert versions_in(path.read_text()) == []


def test_the_rule_sees_a_breach() -> None:
    django, python = ROWS.djangos[0].version, ROWS.pythons[0]
    assert versions_in(f"DJANGOS = ['{django}']") == [django]
    assert versions_in(f"session.install('django~={django}')") != []
    assert versions_in(f"PYTHON = f'python{python}'") != []
    assert versions_in(f'"""Needs Django {django}."""') == []
