"""Tests that commit what they write to a project's own tables, with several connections of one thread."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.apps import apps
from django.db import Error, connection, connections

from django_simple_queue.models import Lease
from tests.contract.cases import DatabaseCase


class ClaimsCase(DatabaseCase):
    """A test that may connect to its database under other names too, each a connection of its own."""

    def _fixture_teardown(self) -> None:
        super()._fixture_teardown()
        empty_tables("default")

    @contextmanager
    def aliases(self, *names: str, skipping: Collection[str] = ()) -> Iterator[None]:
        """More names of the database, for connections to which a locked row is an error at once, or soon.

        `skipping`: those of which claims skip locked rows, where the database can.
        """
        for name in names:
            connections.settings[name] = settings = copy.deepcopy(connections["default"].settings_dict)
            settings["OPTIONS"].update(impatient(skips_locked=skips_locked() and name in skipping))
        try:
            with mock.patch.object(type(self), "databases", {"default", *names}):
                yield
        finally:
            for name in names:
                with contextlib.suppress(Error):
                    connections[name].close()
                del connections[name], connections.settings[name]


def skips_locked() -> bool:
    return bool(connection.features.has_select_for_update_skip_locked)


def impatient(*, skips_locked: bool) -> dict[str, Any]:
    """Options of a connection that does not wait for others."""
    if connection.vendor == "postgresql":
        return {"options": "-c lock_timeout=20ms"}
    if connection.vendor == "mysql":
        # With 0 the commit after a SKIP LOCKED that found all rows locked fails on MariaDB 10.11: error 1180.
        # MySQL takes 0 for 1.
        return {"init_command": f"SET SESSION innodb_lock_wait_timeout = {int(skips_locked)}"}
    return {"timeout": 0.001}


def empty_tables(alias: str, *models: Any) -> None:
    """All of the tests' own if none are named."""
    for model in models or (*apps.get_app_config("claims").get_models(), Lease):
        model._base_manager.using(alias).all().delete()
