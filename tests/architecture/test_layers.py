"""Who may ask, write and import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .source import PACKAGE, attributes, calls, imports, modules, strings

MODULES = modules()
# From the bottom up; a module may import from its own layer and from those below it.
LAYERS = [
    {"states", "exceptions", "signals", "records", "backoff", "conf", "options", "callables", "context", "validation"},
    {"models"},
    {"backends"},
    {"queue"},
    {"api", "status"},
    {"worker"},
]
PURE = LAYERS[0]
DATABASE_QUESTIONS = {"vendor", "mysql_is_mariadb", "mysql_version", "pg_version", "Database"}
WRITES_A_TASK = re.compile(r"(UPDATE|INSERT INTO|DELETE FROM)\s+(\{\}|django_simple_queue_task)", re.I)

NOT_A_WRITE = {"params.update", "own.update", "found.update", "names.update", "response.headers.update"}
ALLOWED_WRITES = {"models": {"super().save"}}  # a project's own save(), narrowed
PREPARES_ROWS = {"testing.contract"}  # a test suite
WRITES_OTHER_ROWS = {"claims.compiled", "claims.lease"}  # a project's own, and leases


def layer_of(name: str) -> int | None:
    first = name.partition(".")[0]
    return next((height for height, names in enumerate(LAYERS) if first in names), None)


def below(package: str) -> dict[str, ast.Module]:
    return {name: tree for name, tree in MODULES.items() if name.partition(".")[0] == package}


def database_questions(tree: ast.AST) -> set[str]:
    return attributes(tree) & DATABASE_QUESTIONS


def task_writes(name: str, tree: ast.AST) -> list[str]:
    """SQL and ORM calls that write rows; the update() of a dict or set is none."""
    found = [text for text in strings(tree) if WRITES_A_TASK.search(text)]
    found += [call for call in calls(tree) if re.search(r"\.(save|update|bulk_create|bulk_update|delete)$", call)]
    return [one for one in found if one not in NOT_A_WRITE and one not in ALLOWED_WRITES.get(name, ())]


def upward_imports(name: str, tree: ast.AST) -> list[str]:
    height = layer_of(name)
    layers = [(one, layer_of(one)) for one in imports(name, tree, lazy=False)]
    return [one for one, other in layers if height is not None and other is not None and other > height]


@pytest.mark.parametrize("name", sorted(set(MODULES) - set(below("backends"))))
def test_only_backends_asks_which_database_it_is_on(name: str) -> None:
    assert database_questions(MODULES[name]) == set()


@pytest.mark.parametrize(
    "name", sorted(set(MODULES) - set(below("backends")) - set(below("queue")) - PREPARES_ROWS - WRITES_OTHER_ROWS)
)
def test_only_queue_writes_tasks(name: str) -> None:
    assert task_writes(name, MODULES[name]) == []


@pytest.mark.parametrize("name", sorted(name for name in MODULES if layer_of(name) is not None))
def test_imports_point_down(name: str) -> None:
    assert upward_imports(name, MODULES[name]) == []


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_pure_modules_know_no_database(name: str) -> None:
    assert {one.partition(".")[0] for one in imports(name, MODULES[name], lazy=False)} <= PURE


def test_the_executor_imports_no_model() -> None:
    code = "import sys, django_simple_queue.worker.executor as e; sys.exit('django_simple_queue.models' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, env={"PATH": "/"}).returncode == 0


def test_importing_the_package_imports_no_models() -> None:
    code = "import sys, django_simple_queue; sys.exit('django.db.models' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, env={"PATH": "/"}).returncode == 0


def test_a_worker_needs_no_admin_no_templates_and_no_urls() -> None:
    edges = {"admin", "views", "urls", "forms", "status"}
    names = {name for name in MODULES if name.partition(".")[0] in {"worker", "queue", "backends", "api"}}
    names |= {"management.commands.task_worker", "models", "apps", "checks"}
    assert {one for name in names for one in imports(name, MODULES[name])} & edges == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_has_grown_beyond_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def vendor_skips(source: str) -> list[str]:
    """Lines that skip a test for what a database is called, not for what it can do."""
    skips = (line.strip() for line in source.splitlines() if "skip" in line.lower())
    return [line for line in skips if re.search(r"vendor|sqlite|postgres|mysql|mariadb|oracle", line, re.I)]


@pytest.mark.parametrize(
    "path",
    [PACKAGE / "testing/contract.py", *sorted((PACKAGE.parent / "tests/contract").glob("*.py"))],
    ids=lambda path: path.name,
)
def test_skips_in_the_contract_suite_name_no_vendor(path: Path) -> None:
    assert vendor_skips(path.read_text()) == []


def test_the_backends_folder_at_the_root_is_the_claim_layer() -> None:
    assert (PACKAGE.parent / "backends").resolve() == PACKAGE / "backends"


def test_each_rule_sees_a_breach() -> None:
    assert database_questions(ast.parse("if connection.vendor == 'sqlite': pass")) == {"vendor"}
    assert task_writes("worker.runner", ast.parse("task.save()")) == ["task.save"]
    assert task_writes("admin", ast.parse("queryset.filter(pk=1).update(status=2)")) != []
    assert task_writes("api", ast.parse("session.write(f'UPDATE {TASK} SET status = 1')")) != []
    assert upward_imports("queue.claim", ast.parse("from ..worker import runner")) == ["worker.runner"]
    assert upward_imports("callables", ast.parse("from .models import Task")) == ["models"]
    assert list(imports("worker.executor", ast.parse("def f():\n from ..models import Task"))) == ["models"]
    assert vendor_skips("@skipIf(connection.vendor == 'sqlite', 'one writer')") != []
    assert vendor_skips("@skipUnlessDBFeature('has_select_for_update_skip_locked')") == []
