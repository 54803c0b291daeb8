"""Runs the ```python blocks of each page of README and docs, in a project that has the app `shop`."""

from __future__ import annotations

import re
import sys
import types
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from django_simple_queue.backends import registry
from django_simple_queue.callables import forget
from django_simple_queue.testing import run_tasks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = {page: "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)) for page in PAGES}
WITH_CODE = [pytest.param(page, id=str(page.relative_to(ROOT))) for page, code in CODE.items() if code]


def send_invoice(order: int) -> str:
    return f"sent {order}"


def sync_stock() -> None:
    pass


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app that the documentation speaks of."""
    package, tasks = types.ModuleType("shop"), types.ModuleType("shop.tasks")
    for function in (send_invoice, sync_stock):
        monkeypatch.setattr(function, "__module__", "shop.tasks")
        setattr(tasks, function.__name__, function)
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.tasks", tasks)
    strategies = [*registry._strategies]
    with override_settings(DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=["shop.tasks.*"]):
        yield
    registry._strategies[:] = strategies
    forget()


@pytest.mark.django_db
@pytest.mark.parametrize("page", WITH_CODE)
def test_the_code_of_a_page_runs(page: Path, shop: None) -> None:
    names: dict[str, object] = {"__name__": "documentation"}
    exec(compile(CODE[page], str(page), "exec"), names)
    cases = [one for one in names.values() if isinstance(one, type) and issubclass(one, unittest.TestCase)]
    for case in cases:
        for name in unittest.defaultTestLoader.getTestCaseNames(case):
            getattr(case(name), name)()
    run_tasks()


def test_there_is_code_to_run() -> None:
    assert len(WITH_CODE) >= 5
