"""Runs the ```sql blocks of the documentation, which are PostgreSQL's."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from .test_code import PAGES

SQL = re.compile(r"^```sql\n(.*?)^```", re.M | re.S)
BLOCKS = [pytest.param(block, id=page.stem) for page in PAGES for block in SQL.findall(page.read_text())]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="the statements are PostgreSQL's")
@pytest.mark.parametrize("block", BLOCKS)
def test_the_sql_of_a_page_runs(block: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(block)
