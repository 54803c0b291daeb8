"""What follows from a database's own settings. The judgements are pure; that real values reach them is tested last."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from django_simple_queue.backends.health import (
    INFO,
    UNSAFE,
    WARNING,
    health_of,
    judge_mysql,
    judge_mysql_table,
    judge_postgresql,
    judge_sqlite,
)
from django_simple_queue.models import Task

GOOD_SQLITE = {"memory": False, "journal_mode": "wal", "synchronous": 1, "transaction_mode": "IMMEDIATE"}
GOOD_POSTGRESQL = {"fsync": "on", "synchronous_commit": "on", "transaction_read_only": "off"}
GOOD_MYSQL = {"log_bin": "ON", "binlog_format": "ROW", "read_only": "OFF", "innodb_flush_log_at_trx_commit": "1"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"transaction_mode": "exclusive"}, []),
        ({"memory": True}, [UNSAFE]),
        ({"journal_mode": "delete"}, [WARNING]),
        ({"journal_mode": "off"}, [UNSAFE]),
        ({"synchronous": 0}, [UNSAFE]),
        ({"transaction_mode": None}, [WARNING]),
        ({"transaction_mode": "DEFERRED", "journal_mode": "truncate"}, [WARNING, WARNING]),
    ],
)
def test_sqlite(changed: dict[str, Any], expected: list[str]) -> None:
    assert [finding.level for finding in judge_sqlite({**GOOD_SQLITE, **changed})] == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"fsync": "off"}, [UNSAFE]),
        ({"synchronous_commit": "off"}, [WARNING]),
        ({"synchronous_commit": "remote_apply"}, []),
        ({"transaction_read_only": "on"}, [UNSAFE]),
        ({"unlogged": True}, [UNSAFE]),
        ({"pooled": True}, [INFO]),
    ],
)
def test_postgresql(changed: dict[str, Any], expected: list[str]) -> None:
    assert [finding.level for finding in judge_postgresql({**GOOD_POSTGRESQL, **changed})] == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"binlog_format": "MIXED"}, []),
        ({"binlog_format": "STATEMENT"}, [UNSAFE]),
        ({"binlog_format": "STATEMENT", "log_bin": "OFF"}, []),
        ({"read_only": "ON"}, [UNSAFE]),
        ({"super_read_only": "ON"}, [UNSAFE]),
        ({"innodb_flush_log_at_trx_commit": "2"}, [WARNING]),
        ({"wsrep_on": "ON"}, [WARNING]),
    ],
)
def test_mysql_and_mariadb(changed: dict[str, str], expected: list[str]) -> None:
    assert [finding.level for finding in judge_mysql({**GOOD_MYSQL, **changed})] == expected


@pytest.mark.parametrize(
    ("engine", "collation", "expected"),
    [
        ("InnoDB", "utf8mb4_general_ci", []),
        ("InnoDB", "uca1400_ai_ci", []),
        ("MyISAM", "utf8mb4_general_ci", [UNSAFE]),
        ("InnoDB", "latin1_swedish_ci", [WARNING]),
        ("InnoDB", "utf8mb3_general_ci", [WARNING]),
    ],
)
def test_how_the_table_was_made(engine: str, collation: str, expected: list[str]) -> None:
    assert [finding.level for finding in judge_mysql_table("tasks", engine, collation)] == expected


@pytest.mark.django_db
def test_the_test_database_is_safe_and_every_finding_says_what_to_do() -> None:
    found = [*health_of(connection, Task._meta.db_table).findings()]
    assert UNSAFE not in [finding.level for finding in found]
    assert all(finding.what.endswith(".") and finding.fix for finding in found)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="UNLOGGED is PostgreSQL's")
def test_an_unlogged_table_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Task._meta.db_table} SET UNLOGGED")
        try:
            assert "UNLOGGED" in " ".join(f.what for f in health_of(connection, Task._meta.db_table).findings())
        finally:
            cursor.execute(f"ALTER TABLE {Task._meta.db_table} SET LOGGED")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="engines are MySQL's and MariaDB's")
def test_a_table_without_transactions_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Task._meta.db_table} ENGINE = MyISAM")
        try:
            assert "MyISAM" in " ".join(f.what for f in health_of(connection, Task._meta.db_table).findings())
        finally:
            cursor.execute(f"ALTER TABLE {Task._meta.db_table} ENGINE = InnoDB")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's uuid type came with 10.7")
def test_ids_that_an_older_django_made_are_found() -> None:
    if not connection.features.has_native_uuid_field:
        pytest.skip("without has_native_uuid_field an id is char(32)")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Task._meta.db_table} MODIFY id char(32) NOT NULL")
        try:
            assert ".id is char" in " ".join(f.what for f in health_of(connection, Task._meta.db_table).findings())
        finally:
            cursor.execute(f"ALTER TABLE {Task._meta.db_table} MODIFY id uuid NOT NULL")
