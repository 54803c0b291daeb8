"""Imported by the process that others are forked from: Django is set up, no connection is open."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connections  # noqa: E402

import django_simple_queue.claims  # noqa: E402, F401


def use(database: dict[str, Any]) -> None:
    """Another test's database may be meant than the one of when this was imported."""
    settings = connections["default"].settings_dict
    settings.update({**database, "OPTIONS": dict(database.get("OPTIONS", {}))})
