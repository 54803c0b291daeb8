"""Runs the ```python blocks of each page of README and docs, in a project that has the app `shop`.

A block that begins with the name of a file is one, and has to import what it needs. The others are typed in a shell in
which all files were imported.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Model
from django.test import override_settings

from django_simple_queue.backends import get_strategy, registry
from django_simple_queue.callables import forget
from django_simple_queue.claims.registered import Registered, judge
from django_simple_queue.testing import run_tasks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"# shop/(\w+)\.py\n")
CLAIMED_FROM = {"waiting": (), "due": (), "free": (3,), "left": (1,)}  # functions of the pages, and arguments
BLOCKS = {page: BLOCK.findall(page.read_text()) for page in PAGES}


def pages(models: bool) -> list[object]:
    """Those with code; `models`: with tables of their own, which some databases cannot make in a transaction."""
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page, blocks in BLOCKS.items()
        if blocks and any("(models.Model)" in block for block in blocks) is models
    ]


def send_invoice(order: int) -> str:
    return f"sent {order}"


def sync_stock() -> None:
    pass


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of the app that the documentation speaks of."""
    package, tasks = types.ModuleType("shop"), types.ModuleType("shop.tasks")
    package.__path__ = [str(tmp_path)]
    for function in (send_invoice, sync_stock):
        monkeypatch.setattr(function, "__module__", "shop.tasks")
        setattr(tasks, function.__name__, function)
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.tasks", tasks)
    strategies = [*registry._strategies]
    with override_settings(
        DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS=["shop.tasks.*"], INSTALLED_APPS=[*settings.INSTALLED_APPS, "shop"]
    ):
        yield tmp_path
    for name in [name for name in sys.modules if name.startswith("shop.")]:
        del sys.modules[name]
    apps.all_models.pop("shop", None)
    apps.clear_cache()
    registry._strategies[:] = strategies
    forget()


@contextmanager
def tables(names: dict[str, object], made: list[type[Model]]) -> Iterator[None]:
    """Makes those of the models that a block has defined."""
    before = {*map(id, names.values())}
    yield
    found = [
        one for one in names.values() if isinstance(one, type) and issubclass(one, Model) and id(one) not in before
    ]
    for model in found:
        if model._meta.app_label == "shop":
            with connection.schema_editor() as editor:
                editor.create_model(model)
            made.append(model)


def assert_served(name: str, queryset: Any) -> None:
    """The index that the page shows serves what it claims from."""
    judged = judge(Registered(name, queryset, "default"), get_strategy("default"))
    assert judged is not None
    assert judged.problem is None, judged


def file(folder: Path, name: str, code: str) -> dict[str, object]:
    """What is in the file once it is imported."""
    (folder / f"{name}.py").write_text(code)
    importlib.invalidate_caches()
    return vars(importlib.import_module(f"shop.{name}"))


@contextmanager
def running(page: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """What there is in the shell once all has run."""
    names: dict[str, Any] = {"__name__": "shop.documentation"}
    made: list[type[Model]] = []
    try:
        for block in BLOCKS[page]:
            above = page.read_text().partition(block)[0].count("\n")  # so that a traceback names the page's line
            code = "\n" * above + block
            with tables(names, made):
                if found := FILE.match(block):
                    names |= file(folder, found[1], code) | {"__name__": "shop.documentation"}
                else:
                    exec(compile(code, str(page), "exec"), names)
        cases = [one for one in names.values() if isinstance(one, type) and issubclass(one, unittest.TestCase)]
        for case in cases:
            for name in unittest.defaultTestLoader.getTestCaseNames(case):
                getattr(case(name), name)()
        run_tasks()
        for name, arguments in CLAIMED_FROM.items():
            if callable(function := names.get(name)):
                assert_served(name, function(*arguments))
        yield names
    finally:
        for model in reversed(made):
            with connection.schema_editor() as editor:
                editor.delete_model(model)


@pytest.mark.django_db
@pytest.mark.parametrize("page", pages(models=False))
def test_the_code_of_a_page_runs(page: Path, shop: Path) -> None:
    with running(page, shop):
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", pages(models=True))
def test_the_code_of_a_page_with_tables_runs(page: Path, shop: Path) -> None:
    with running(page, shop):
        pass


@pytest.mark.django_db(transaction=True)
def test_a_message_that_cannot_be_sent_stops_no_other_and_is_put_aside(shop: Path) -> None:
    with running(ROOT / "docs/how-to/relay-an-outbox.md", shop) as names:
        message = names["Message"].objects
        bad, good = (message.create(topic=topic, body={}) for topic in ("bad", "good"))

        def send(topic: str, *rest: object) -> None:
            if topic == "bad":
                raise ConnectionError

        for fence in range(1, names["MOST_TRIES"] + 1):
            assert names["relay"](send) == (2 if fence == 1 else 1)
            assert message.get(pk=good.pk).status == 1
            assert message.get(pk=bad.pk).status == (2 if fence == names["MOST_TRIES"] else 0)
            message.update(claimed_until=None)
        assert names["relay"](send) == 0


@pytest.mark.django_db(transaction=True)
def test_a_delivery_whose_sender_died_in_its_last_try_is_given_up(shop: Path) -> None:
    def fail(*given: object) -> None:
        raise ConnectionError

    with running(ROOT / "docs/how-to/send-webhooks.md", shop) as names:
        late = names["Delivery"].objects.create(url="https://example.org", body={}, tries=names["MOST_TRIES"])
        assert names["deliver"](fail) == 1
        late.refresh_from_db()
        assert late.status == 2


def test_there_is_code_to_run() -> None:
    assert len(pages(models=False)) >= 5
    assert len(pages(models=True)) >= 4
