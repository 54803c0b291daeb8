"""Where a server is taken from, and what is said when there is none. Nothing is fetched here."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_matrix import cache, containers, debian, matrix
from compat_matrix.errors import ServerError
from compat_matrix.mysql import MariaDB, MySQL
from compat_matrix.postgresql import PostgreSQL
from compat_matrix.programs import printed_version, short_version
from compat_matrix.servers import KINDS, SOURCES, main, server

MYSQL = matrix.load().database("mysql")


def program(folder: Path, prints: str) -> Path:
    path = folder / "server"
    path.write_text(f"#!/bin/sh\necho '{prints}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_order_of_sources() -> None:
    assert list(SOURCES) == ["environment", "machine", "container", "debian"]


def test_a_url_in_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSQ_MYSQL_URL", "mysql://root@127.0.0.1:1/x")
    with server(MYSQL) as running:
        assert running.url == "mysql://root@127.0.0.1:1/x"
        assert str(running).startswith("mysql: the server that DSQ_MYSQL_URL names")


def test_sqlite_is_a_file_that_goes_away() -> None:
    with server(matrix.load().database("sqlite")) as running:
        folder = Path(running.url.removeprefix("sqlite:///")).parent
        assert folder.is_dir()
    assert not folder.exists()


def test_without_a_server_every_reason_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DSQ_MYSQL_URL", raising=False)
    wrong = program(tmp_path, "mysqld  Ver 8.0.36 for Linux on x86_64")
    monkeypatch.setattr(KINDS["mysql"], "candidates", lambda version: iter([wrong]), raising=False)
    with pytest.raises(ServerError) as caught, server(MYSQL, ["environment", "machine"]):
        pass
    message = str(caught.value)
    assert "environment: DSQ_MYSQL_URL is not set" in message
    assert f"machine: {wrong} is mysqld  Ver 8.0.36" in message
    assert "Set DSQ_MYSQL_URL to the URL" in message


def test_the_command_line_says_why_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DSQ_MYSQL_URL", raising=False)
    assert main(["mysql", "--from", "environment", "--", "true"]) == 1
    assert "DSQ_MYSQL_URL is not set" in capsys.readouterr().err


def test_the_command_gets_the_url_and_its_exit_code_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSQ_MYSQL_URL", "mysql://given")
    assert main(["mysql", "--", "sh", "-c", 'test "$DSQ_MYSQL_URL" = mysql://given && exit 7']) == 7


@pytest.mark.parametrize(
    ("kind", "printed", "version", "suits"),
    [
        (PostgreSQL(), "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15", True),
        (PostgreSQL(), "postgres (PostgreSQL) 17.2", "15", False),
        (MySQL(), "/cache/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", "9.7", True),
        (MySQL(), "/usr/sbin/mysqld  Ver 10.11.18-MariaDB for debian-linux-gnu", "10.11", False),
        (MariaDB(), "/usr/sbin/mysqld  Ver 10.11.18-MariaDB for debian-linux-gnu", "10.11", True),
        (MariaDB(), "/x/10.5/mariadbd  Ver 10.11.18-MariaDB for debian-linux-gnu", "10.5", False),
        (MariaDB(), "/usr/sbin/mariadbd  Ver 10.1.4-MariaDB", "10.11", False),
    ],
)
def test_product_and_version_must_fit(kind: PostgreSQL | MySQL, printed: str, version: str, suits: bool) -> None:
    assert kind.is_version(printed, version) is suits


def test_version_of_a_program(tmp_path: Path) -> None:
    path = program(tmp_path, "/opt/10.5/mariadbd  Ver 10.11.18-MariaDB")
    assert short_version(printed_version(path)) == "10.11.18"
    assert printed_version(tmp_path / "missing") == ""


def test_containers_are_passed_over_where_no_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert containers.why_not() in (
        "testcontainers is not installed",
        "no Docker engine answers (DockerException)",
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sources.list", "# deb http://no/debian x main\ndeb [arch=amd64] http://mirror/debian bookworm main\n"),
        ("sources.list.d/a.sources", "Types: deb\nURIs: http://mirror/debian\nSuites: bookworm\n"),
    ],
)
def test_the_mirror_is_the_machines_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: str
) -> None:
    monkeypatch.delenv("DSQ_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(debian, "SOURCES", tmp_path)
    (tmp_path / "sources.list.d").mkdir()
    with pytest.raises(ServerError, match="set DSQ_DEBIAN_MIRROR"):
        debian.mirror()
    (tmp_path / "sources.list.d/0.sources").write_text("URIs: http://mirror/debian-security\n", encoding="utf-8")
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert debian.mirror() == "http://mirror/debian"
    monkeypatch.setenv("DSQ_DEBIAN_MIRROR", "http://other/debian")
    assert debian.mirror() == "http://other/debian"


def test_without_apt_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DSQ_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="no apt-get: this is no Debian or Ubuntu"):
        debian.fetch("mysql-server-core", "sid")


def test_a_recently_fetched_package_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DSQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt
    (tmp_path / "cache/debian/sid/package/1%3a2.0").mkdir(parents=True)
    unpacked = debian.fetch("package", "sid")
    assert unpacked.version == "1:2.0"
    monkeypatch.setattr(debian, "LOOK_AGAIN_SECONDS", -1)
    assert debian.fetch("package", "sid") == unpacked  # stale is better than nothing


def test_the_cache_is_readable_for_the_servers_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DSQ_CACHE", str(tmp_path / "a/b"))
    assert cache.cache_folder() == tmp_path / "a/b"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755
    with cache.workplace(tmp_path / "a/b/c") as folder:
        assert folder.parent == tmp_path / "a/b/c"
    assert not folder.exists()
