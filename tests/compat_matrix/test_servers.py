"""Every server of the matrix, really started; run by `nox -s servers`, since it may have to download."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from compat_matrix import matrix
from compat_matrix.faketime import at_another_time
from compat_matrix.servers import server

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
DATABASES = [row for row in matrix.load().databases if row.kind != "sqlite"]
each_database = pytest.mark.parametrize("database", DATABASES, ids=lambda row: row.name)


def connect(url: str) -> Any:
    """Connect with the driver alone."""
    parts = urlsplit(url)
    if parts.scheme == "postgres":
        import psycopg2

        return psycopg2.connect(url)
    import MySQLdb

    return MySQLdb.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user=parts.username or "",
        password=parts.password or "",
        database=parts.path.strip("/"),
    )


def query(url: str, *statements: str) -> Any:
    connection = connect(url)
    try:
        if url.startswith("postgres:"):
            connection.autocommit = True
        else:
            connection.autocommit(True)
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()
    finally:
        connection.close()


def is_up(url: str) -> bool:
    try:
        connect(url).close()
    except Exception:
        return False
    return True


def comes_true(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def start(name: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "compat_matrix.servers", name],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line and process.stderr is not None:
        pytest.fail(process.stderr.read())
    return line.rpartition(" at ")[2].strip()


@each_database
def test_version_and_durability(database: matrix.Database) -> None:
    with server(database) as running:
        [[version]] = query(running.url, "SELECT VERSION()")
        assert version.removeprefix("PostgreSQL ").startswith(database.version)
        if database.kind == "postgresql":
            assert query(running.url, "SHOW fsync") == [("on",)]
            assert query(running.url, "SHOW synchronous_commit") == [("on",)]
        else:
            assert query(running.url, "SELECT @@innodb_flush_log_at_trx_commit") == ((1,),)
            assert query(running.url, "SELECT @@character_set_server") == (("utf8mb4",),)
        query(running.url, "CREATE DATABASE one_more", "SELECT 1")
    assert not is_up(running.url)


@each_database
def test_a_server_can_be_started_again_with_a_clock_an_hour_ahead(database: matrix.Database) -> None:
    with server(database, ("machine", "debian")) as running:
        assert running.process is not None
        running.process.stop()
        running.process.command = [*at_another_time(database.suite or "", "+1h"), *running.process.command]
        running.process.start()
        assert comes_true(lambda: is_up(running.url))
        now = "extract(epoch FROM now())" if database.kind == "postgresql" else "unix_timestamp()"
        [[seconds]] = query(running.url, f"SELECT {now}")
        assert abs(float(seconds) - time.time() - 3600) < 60


@each_database
def test_skip_locked_is_refused_by_mariadb_10_5_alone(database: matrix.Database) -> None:
    with server(database) as running:
        first = connect(running.url)
        cursor = first.cursor()
        cursor.execute("CREATE TABLE claims (id integer PRIMARY KEY)")
        cursor.execute("INSERT INTO claims VALUES (1), (2)")
        first.commit()
        cursor.execute("SELECT id FROM claims WHERE id = 1 FOR UPDATE")
        claim = "SELECT id FROM claims ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        if database.name == "mariadb-10.5":
            with pytest.raises(Exception, match="1064"):
                query(running.url, claim)
        else:
            assert list(query(running.url, claim)) == [(2,)]
        first.close()


@each_database
def test_the_server_ends_when_its_starter_is_killed(database: matrix.Database) -> None:
    process = start(database.name)
    url = url_of(process)
    assert is_up(url)
    process.kill()
    process.communicate()
    assert comes_true(lambda: not is_up(url))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_when_its_starter_is_asked_to(how: signal.Signals) -> None:
    process = start("postgresql")
    url = url_of(process)
    process.send_signal(how)
    process.communicate(timeout=30)
    assert not is_up(url)


@pytest.fixture
def cache() -> Iterator[Path]:
    """An empty one that the server's user can reach: pytest makes its own folders private, again and again."""
    with tempfile.TemporaryDirectory(prefix="dsq-cache-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_two_at_once_from_an_empty_cache(cache: Path) -> None:
    processes = [start("mariadb-10.5", DSQ_CACHE=str(cache), DSQ_MARIADB_10_5_URL="") for _ in range(2)]
    try:
        urls = [url_of(process) for process in processes]
        assert len(set(urls)) == 2
        assert all(is_up(url) for url in urls)
        assert len(list(cache.glob("debian/bullseye/*/*"))) == 1
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=30)
